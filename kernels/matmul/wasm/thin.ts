/**
 * How matrix products of few rows are cut in WebAssembly: b is read once, mostly in place, and is what takes the time.
 * Threads share the columns.
 * @module
 */
import { type Encoding, inBlocks } from "../../encoding.ts"
import { F32 } from "../../encodings.ts"
import { type BlocksOfColumns, type PlainProducts, plainProducts } from "./groups/plain.ts"
import { COLUMNS, ROWS } from "./micro_kernel.ts"
import type { Encodings } from "./operands.ts"
import { layoutOf } from "./pack.ts"
import type { Product } from "../product.ts"

/** Most rows of a thin product. */
const THIN = 16
/** Most rows that share what is decoded of blocks: with it they fit into a first-level cache of 32 KiB. */
const BLOCK_ROWS = 8
/** Columns of a tile of dot products, by its rows: as many sums as 15 registers hold. */
const DOT_COLUMNS = [0, 8, 4, 3, 2]
/** Depth of a block: what a panel leaves of b's cache lines, where b is in place, is there for the next panel. */
const DEPTH = 128
/** About so many units, to occupy many threads. */
const UNITS = 32
/**
 * Fewest panels of columns in a unit of dot products: so many columns lie between the streams that a tile reads. With one
 * between them a product of a row takes three times as long, with two more than twice.
 */
const DOT_PANELS = 6
/** Fewest where they read whole blocks: so many columns pay for loading the rows. */
const BLOCK_PANELS = 4
/** Fewest units that a thread then takes at a time, for the same reason. */
const BLOCK_GRAIN = 4
/** Fewest rows and columns for which plain numbers are read so: fewer rows wait for b, which comes faster in more streams. */
const PLAIN_ROWS = 3, PLAIN_COLUMNS = 64

/** How a thin product is cut. Depends on the product alone. */
export interface ThinBlocking {
  /** Whether it is done by dot products along k. */
  readonly dot: boolean
  /** By what, where it reads whole blocks of b. */
  readonly blocks?: BlocksOfColumns
  /** How it reads plain columns of b in whole groups, where it does. */
  readonly plain?: PlainProducts
  /** Whether a and b are read where they are. */
  readonly inPlace: { readonly a: boolean; readonly b: boolean }
  /** Rows from one that the epilogue meets to its next. */
  readonly apart: number
  /** Rows of each panel of rows. */
  readonly panels: readonly number[]
  /** Columns of a panel of columns. */
  readonly columns: number
  /** Panels of columns in an entry. */
  readonly columnPanels: number
  /** Panels of columns in a unit, and units in an entry. */
  readonly unitPanels: number
  readonly entryUnits: number
  /** Terms that are summed at a time. */
  readonly depth: number
  /** Pieces of work: each is some panels of columns of one entry. */
  readonly units: number
  /** Fewest of them that pay for what a thread does before. */
  readonly grain: number
  /** What a thread packs into, in bytes. */
  readonly scratchBytes: number
}

/** What reads whole blocks of columns of b, if anything does. */
const blocksOf = (
  encoding: Encoding,
  plain: PlainProducts | undefined,
  { m, n }: Product,
): BlocksOfColumns | undefined => {
  if (!inBlocks(encoding)) return m >= PLAIN_ROWS && n >= PLAIN_COLUMNS ? plain?.blocks : undefined
  const { block, blockBytes, products } = encoding
  return products && { ...products, block, blockBytes }
}

/** Cuts a product of few rows; undefined for others. */
export const thinBlocking = (product: Product, encodings: Encodings): ThinBlocking | undefined => {
  const { batch, m, n, k } = product
  if (m > THIN) return undefined
  const entries = batch.reduce((count, { extent }) => count * extent, 1)
  const aLayout = layoutOf(product.a.k, product.a.m), bLayout = layoutOf(product.b.k, product.b.n)
  const a = encodings.a === F32 && aLayout !== "strided"
  // For any number of rows: a row of a has the same bits whatever stands beside it.
  const dot = a && aLayout === "depth" && bLayout === "depth"
  const plain = dot ? plainProducts(encodings.b, k) : undefined
  const blocks = dot ? blocksOf(encodings.b, plain, product) : undefined
  const most = blocks !== undefined ? BLOCK_ROWS : dot ? DOT_COLUMNS.length - 1 : ROWS
  const rows = Math.ceil(m / Math.ceil(m / most))
  const panels = Array.from({ length: Math.ceil(m / rows) }, (_, i) => Math.min(rows, m - i * rows))
  // Half floats take so many steps to decode that it is done once.
  const ready = !encodings.b.costly || panels.length === 1
  const inPlace = { a, b: dot || bLayout === "across" && ready }
  const columns = dot && blocks === undefined ? DOT_COLUMNS[rows] : COLUMNS
  const columnPanels = Math.ceil(n / columns)
  // A unit begins at a multiple of four columns, as epilogues ask for.
  const group = columns % 4 === 0 ? 1 : columns % 2 === 0 ? 2 : 4
  const fewest = blocks !== undefined ? BLOCK_PANELS : dot ? Math.ceil(DOT_PANELS / group) : 1
  const unitPanels = group * Math.max(fewest, Math.floor(entries * columnPanels / (UNITS * group)))
  const entryUnits = Math.ceil(columnPanels / unitPanels)
  const depth = dot ? k : Math.min(k, DEPTH)
  return {
    dot,
    ...(blocks === undefined ? {} : { blocks }),
    ...(plain === undefined ? {} : { plain }),
    inPlace,
    apart: 1,
    panels,
    columns,
    columnPanels,
    unitPanels,
    entryUnits,
    depth,
    units: entries * entryUnits,
    grain: blocks === undefined ? 1 : BLOCK_GRAIN,
    scratchBytes: blocks?.scratchBytes ?? m * (plain?.arranged?.bytes ?? 0) +
        4 * depth * ((inPlace.b ? 0 : columns) + (inPlace.a ? 0 : m)),
  }
}
