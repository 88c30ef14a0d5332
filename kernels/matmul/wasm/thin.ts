/**
 * Matrix products of few rows in WebAssembly: b is read once, mostly in place, and is what takes the time. Threads share
 * the columns.
 * @module
 */
import { F32 } from "../../encodings.ts"
import {
  call as callFunction,
  type Code,
  forRange,
  get,
  i32,
  increase,
  type ModuleBuilder,
  set,
  type Target,
  when,
  whileTrue,
} from "../../wasm/assembler.ts"
import { dotKernel } from "./dot_kernel.ts"
import { COLUMNS, microKernel, ROWS } from "./micro_kernel.ts"
import { distancesOf, type Encodings, enterEntry, minimum, scaled } from "./operands.ts"
import { layoutOf, pack } from "./pack.ts"
import type { Product } from "../product.ts"

/** Most rows of a thin product. */
const THIN = 16
/** Columns of a tile of dot products, by its rows: as many sums as 15 registers hold. */
const DOT_COLUMNS = [0, 8, 4, 3, 2]
/** Depth of a block: what a panel leaves of b's cache lines, where b is in place, is there for the next panel. */
const DEPTH = 128
/** About so many units, to occupy many threads. */
const UNITS = 32

const constant = i32.const

/** How a thin product is cut. Depends on the product alone. */
export interface ThinBlocking {
  /** Whether it is done by dot products along k. */
  readonly dot: boolean
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
  /** What a thread packs into, in bytes. */
  readonly scratchBytes: number
}

/** Cuts a product of few rows; undefined for others. */
export const thinBlocking = (product: Product, encodings: Encodings): ThinBlocking | undefined => {
  const { batch, m, n, k } = product
  if (m > THIN) return undefined
  const entries = batch.reduce((count, { extent }) => count * extent, 1)
  const aLayout = layoutOf(product.a.k, product.a.m), bLayout = layoutOf(product.b.k, product.b.n)
  const a = encodings.a === F32 && aLayout !== "strided"
  const alongDepth = a && aLayout === "depth" && bLayout === "depth"
  const rows = Math.ceil(m / Math.ceil(m / (alongDepth ? DOT_COLUMNS.length - 1 : ROWS)))
  const panels = Array.from({ length: Math.ceil(m / rows) }, (_, i) => Math.min(rows, m - i * rows))
  // Half floats take so many steps to decode that it is done once.
  const ready = !encodings.b.costly || panels.length === 1
  const dot = alongDepth && ready
  const inPlace = { a, b: dot || bLayout === "across" && ready }
  const columns = dot ? DOT_COLUMNS[rows] : COLUMNS
  const columnPanels = Math.ceil(n / columns)
  // A unit begins at a multiple of four columns, as epilogues ask for.
  const group = columns % 4 === 0 ? 1 : columns % 2 === 0 ? 2 : 4
  const unitPanels = group * Math.max(1, Math.floor(entries * columnPanels / (UNITS * group)))
  const entryUnits = Math.ceil(columnPanels / unitPanels)
  const depth = dot ? k : Math.min(k, DEPTH)
  return {
    dot,
    inPlace,
    apart: 1,
    panels,
    columns,
    columnPanels,
    unitPanels,
    entryUnits,
    depth,
    units: entries * entryUnits,
    scratchBytes: 4 * depth * ((inPlace.b ? 0 : columns) + (inPlace.a ? 0 : m)),
  }
}

/** As `driver`, for thin products. */
export const thinDriver = (
  module: ModuleBuilder,
  target: Target,
  product: Product,
  blocking: ThinBlocking,
  encodings: Encodings,
  epilogue: number | undefined,
): number => {
  const { m, n, k } = product
  const { dot, inPlace, panels, columns, columnPanels, unitPanels, entryUnits, depth } = blocking
  const aLayout = layoutOf(product.a.k, product.a.m), bLayout = layoutOf(product.b.k, product.b.n)
  const bytes = distancesOf(product, encodings)
  const width = n % columns
  const params = new Array(6 + bytes.beside.length).fill("i32" as const)
  return module.func(`matmul_${m}x${n}x${k}`, params, [], (f, begin, end, scratch, a, b, output, ...bases) => {
    const local = () => f.local("i32")
    const [entry, unit, last, first, firstRow, a0, b0, output0] = [0, 0, 0, 0, 0, 0, 0, 0].map(local)
    const [start, count, column, full, aPanel, bPanel, to] = [0, 0, 0, 0, 0, 0, 0].map(local)
    const starts = bases.map(local)
    const aScratch = i32.add(get(scratch), constant(inPlace.b ? 0 : 4 * depth * columns))
    const rowsBefore = panels.map((_, i) => i * panels[0])

    const tile = (rows: number, tileWidth: number, from: Code, into: Code): Code =>
      dot
        ? callFunction(
          dotKernel(module, target, { rows, columns: tileWidth, tail: k % 4, encoding: encodings.b }),
          from,
          constant(bytes.a.m),
          get(bPanel),
          constant(bytes.b.n),
          constant(k),
          into,
          constant(bytes.output.m),
        )
        : callFunction(
          microKernel(module, target, {
            a: inPlace.a && aLayout !== "strided" ? aLayout : "panel",
            b: inPlace.b ? "across" : "panel",
            rows,
            width: tileWidth,
            encoding: inPlace.b ? encodings.b : F32,
          }),
          from,
          constant(aLayout === "depth" ? bytes.a.m : bytes.a.k),
          inPlace.b ? get(bPanel) : get(scratch),
          constant(bytes.b.k),
          get(count),
          into,
          constant(bytes.output.m),
          get(start),
          constant(1),
        )
    const panelOfColumns = (tileWidth: number): Code => [
      inPlace.b ? [] : callFunction(
        pack(module, bLayout, tileWidth, columns, encodings.b),
        get(bPanel),
        constant(bytes.b.k),
        constant(bytes.b.n),
        get(count),
        get(scratch),
      ),
      panels.map((rows, i) =>
        tile(
          rows,
          tileWidth,
          inPlace.a
            ? i32.add(get(aPanel), constant(rowsBefore[i] * bytes.a.m))
            : i32.add(aScratch, constant(4 * depth * rowsBefore[i])),
          i32.add(get(to), constant(rowsBefore[i] * bytes.output.m)),
        )
      ),
    ]
    const block: Code = [
      set(count, minimum(f, constant(depth), i32.sub(constant(k), get(start)))),
      set(aPanel, i32.add(get(a0), scaled(get(start), bytes.a.k))),
      set(bPanel, i32.add(get(b0), scaled(get(start), bytes.b.k))),
      set(to, get(output0)),
      inPlace.a ? [] : panels.map((rows, i) =>
        callFunction(
          pack(module, aLayout, rows, rows, encodings.a),
          i32.add(get(aPanel), constant(rowsBefore[i] * bytes.a.m)),
          constant(bytes.a.k),
          constant(bytes.a.m),
          get(count),
          i32.add(aScratch, constant(4 * depth * rowsBefore[i])),
        )
      ),
      forRange(
        column,
        get(first),
        get(full),
        1,
        panelOfColumns(columns),
        increase(bPanel, columns * bytes.b.n),
        increase(to, columns * bytes.output.n),
      ),
      width === 0 ? [] : when(i32.ltU(get(full), get(last)), panelOfColumns(width)),
    ]
    const finish = (): Code =>
      callFunction(
        epilogue!,
        constant(m),
        i32.sub(minimum(f, constant(n), scaled(get(last), columns)), scaled(get(first), columns)),
        get(firstRow),
        scaled(get(first), columns),
        get(output0),
        ...starts.map(get),
      )
    return whileTrue(
      i32.ltU(get(begin), get(end)),
      // The panels of columns that this run of units has in one entry.
      set(unit, i32.remU(get(begin), constant(entryUnits))),
      set(entry, i32.divU(get(begin), constant(entryUnits))),
      set(last, minimum(f, constant(entryUnits), i32.add(get(unit), i32.sub(get(end), get(begin))))),
      increase(begin, i32.sub(get(last), get(unit))),
      set(first, scaled(get(unit), unitPanels)),
      set(last, minimum(f, constant(columnPanels), scaled(get(last), unitPanels))),
      set(full, minimum(f, get(last), constant(Math.floor(n / columns)))),
      set(firstRow, scaled(get(entry), m)),
      set(a0, get(a)),
      set(b0, i32.add(get(b), scaled(get(first), columns * bytes.b.n))),
      set(output0, i32.add(get(output), scaled(get(first), columns * bytes.output.n))),
      starts.map((place, i) => set(place, i32.add(get(bases[i]), scaled(get(first), columns * bytes.beside[i].n)))),
      enterEntry(product, encodings, entry, { a: a0, b: b0, output: output0, beside: starts }),
      set(start, constant(0)),
      dot ? block : whileTrue(
        i32.or(i32.ltU(get(start), constant(k)), i32.eqz(get(start))), // of no terms, the sum is 0
        block,
        increase(start, Math.max(1, depth)),
      ),
      epilogue === undefined ? [] : finish(),
    )
  })
}
