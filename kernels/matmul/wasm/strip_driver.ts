/**
 * Matrix products in WebAssembly's wide vectors: strips of b that stay, and all rows of a pass by.
 * @module
 */
import { F32 } from "../../encodings.ts"
import {
  call as callFunction,
  type Code,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  select,
  set,
  type Target,
  when,
  whileTrue,
} from "../../wasm/assembler.ts"
import { COLUMNS, microKernel, ROWS } from "./micro_kernel.ts"
import { distancesOf, type Encodings, minimum, scaled, type Writing } from "./operands.ts"
import { layoutOf, packPanels, panelsTogether } from "./pack.ts"
import { chunkOf, type Cut, depthOf, driverOf, type Run, UNITS } from "./runs.ts"
import { STRIP_COLUMNS, stripDepth, stripKernel } from "./strip_kernel.ts"
import type { Product } from "../product.ts"

/** Panels of rows that pass by a strip before the next strip comes, and strips that follow each other along k before the
 * next columns: what they meet of a, b and the output stays in the second-level cache. */
const GROUP = 24, STRIPS = 4
/** About the bytes of a chunk: a strip is read once for many rows, so it may be far. */
const CHUNK_BYTES = 1 << 20
/** Rows of an output so far apart, in bytes, lie on few lines of a cache. */
const CROWDED = 2048

const constant = i32.const

/** How a product is cut into strips. */
export interface StripBlocking extends Cut {
  /** Terms of a strip. */
  readonly strip: number
}

/** Cuts a product; undefined where vectors are narrow or strips would not pay. */
export const stripBlocking = (
  product: Product,
  encodings: Encodings,
  target: Target,
): StripBlocking | undefined => {
  const { batch, m, n, k, a } = product
  const readable = encodings.a === F32 && layoutOf(a.k, a.m) !== "strided"
  const depth = depthOf(k, encodings.b)
  const strip = stripDepth(depth)
  if (!target.wide || !readable || m < 5 * ROWS || n < STRIP_COLUMNS || strip === 0) return undefined
  const entries = batch.reduce((product, { extent }) => product * extent, 1)
  const rowPanels = Math.ceil(m / ROWS), columnPanels = Math.ceil(n / COLUMNS)
  const together = panelsTogether(product, encodings.b)
  const least = Math.max(
    Math.ceil(4 * COLUMNS * depth * columnPanels / CHUNK_BYTES),
    Math.ceil(UNITS / (entries * rowPanels)),
  )
  const chunkPanels = chunkOf(columnPanels, together % 2 === 0 ? together : 2 * together, least)
  const chunks = Math.ceil(columnPanels / chunkPanels)
  return {
    rowPanels,
    columnPanels,
    chunkPanels,
    chunks,
    strip,
    depth,
    apart: 1,
    units: entries * chunks * rowPanels,
    // What is packed as a whole is held from run to run.
    grain: k > depth ? rowPanels : Math.min(rowPanels, GROUP),
    scratchBytes: 4 * (GROUP * ROWS * STRIP_COLUMNS + COLUMNS * depth * chunkPanels),
  }
}

/** The driver in strips: see {@link driverOf}. */
export const stripDriver = (writing: Writing, blocking: StripBlocking, epilogue: number | undefined): number => {
  const { product, encodings } = writing
  const { m, n } = product
  const { rowPanels, strip } = blocking
  const width = n % COLUMNS, restRows = m % ROWS
  const bytes = distancesOf(product, encodings)
  return driverOf(writing, blocking, epilogue, (f, run, scratch) => {
    const [from, panel, whole, column, pair] = Array.from({ length: 5 }, () => f.local("i32"))
    const [until, term, tiles, tile, aRows, bPanel, to] = Array.from({ length: 7 }, () => f.local("i32"))
    const packed = i32.add(get(scratch), constant(4 * GROUP * ROWS * STRIP_COLUMNS))
    const { full, panels, start, count } = run
    const { narrow, strips, panelBytes } = sumsOf(f, writing, strip, run, scratch, {
      until,
      term,
      tiles,
      tile,
      aRows,
      bPanel,
      to,
    })
    const enterRows: Code = [
      set(aRows, i32.add(get(run.a), scaled(get(panel), ROWS * bytes.a.m))),
      increase(aRows, scaled(get(start), bytes.a.k)),
      set(bPanel, packed),
      set(to, i32.add(get(run.output), scaled(get(panel), ROWS * bytes.output.m))),
    ]
    const nextPanels = (count: number): Code => [
      increase(bPanel, i32.mul(panelBytes, constant(count))),
      increase(to, 4 * COLUMNS * count),
    ]
    const eachTile = (body: Code): Code => forRange(tile, constant(0), get(tiles), 1, body)
    /** The last panel of columns, if it is not full. */
    const lastColumns = (body: (width: number) => Code): Code =>
      width === 0 ? [] : when(i32.ltU(get(full), get(panels)), body(width))
    const group: Code = [
      set(tiles, minimum(f, constant(GROUP), i32.sub(get(whole), get(panel)))),
      set(from, constant(0)),
      whileTrue(
        i32.ltU(get(from), get(count)),
        set(until, minimum(f, get(count), i32.add(get(from), constant(STRIPS * strip)))),
        enterRows,
        forRange(
          pair,
          constant(1),
          get(full),
          2,
          set(term, get(from)),
          strips,
          when(i32.ltU(get(term), get(until)), eachTile([narrow(ROWS, COLUMNS), narrow(ROWS, COLUMNS, 1)])),
          nextPanels(2),
        ),
        set(term, get(from)),
        when(i32.and(get(full), constant(1)), [eachTile(narrow(ROWS, COLUMNS)), nextPanels(1)]),
        lastColumns((width) => eachTile(narrow(ROWS, width))),
        set(from, get(until)),
      ),
      run.finish(scaled(get(tiles), ROWS), scaled(get(panel), ROWS)),
      increase(panel, get(tiles)),
    ]
    const lastRows: Code = [
      enterRows,
      set(tile, constant(0)),
      set(term, constant(0)),
      set(until, get(count)),
      forRange(column, constant(0), get(full), 1, narrow(restRows, COLUMNS), nextPanels(1)),
      lastColumns((width) => narrow(restRows, width)),
      run.finish(constant(restRows), scaled(get(panel), ROWS)),
    ]
    const packChunk: Code = [
      set(bPanel, i32.add(get(run.b), scaled(get(start), bytes.b.k))),
      set(to, packed),
      packPanels(writing, run, { from: bPanel, to, column, count }),
    ]
    return [
      run.packOnce(packChunk),
      set(panel, get(run.first)),
      set(whole, minimum(f, get(run.last), constant(Math.floor(m / ROWS)))),
      whileTrue(i32.ltU(get(panel), get(whole)), group),
      restRows === 0 ? [] : when(i32.eq(get(run.last), constant(rowPanels)), lastRows),
    ]
  })
}

/** Locals of what sums are next: terms, tiles of rows from `aRows` on, a panel of columns in b and in the output. */
type Standing = Readonly<Record<"until" | "term" | "tiles" | "tile" | "aRows" | "bPanel" | "to", number>>

/** Code of sums at a place. */
const sumsOf = (
  f: FunctionScope,
  { module, target, product, encodings }: Writing,
  strip: number,
  { start, count }: Run,
  scratch: number,
  { until, term, tiles, tile, aRows, bPanel, to }: Standing,
) => {
  const aLayout = layoutOf(product.a.k, product.a.m) === "depth" ? "depth" : "across"
  const bytes = distancesOf(product, encodings)
  const aStride = constant(aLayout === "depth" ? bytes.a.m : bytes.a.k)
  const [before, beforeStride, isLast] = [f.local("i32"), f.local("i32"), f.local("i32")]
  // Strips hand the sums of a crowded output on to the next ones in a place of their own.
  const crowded = bytes.output.m % CROWDED === 0
  const sums = crowded ? get(scratch) : get(to)
  const sumsStride = constant(crowded ? 4 * STRIP_COLUMNS : bytes.output.m)
  /** From one panel of columns of b to the next. */
  const panelBytes = scaled(get(count), 4 * COLUMNS)
  /** The terms from `term` until `until` of one panel of columns, for the rows of a tile. */
  const narrow = (rows: number, tileWidth: number, panelOfPair = 0): Code =>
    callFunction(
      microKernel(module, target, { a: aLayout, b: "panel", rows, width: tileWidth }),
      i32.add(i32.add(get(aRows), scaled(get(term), bytes.a.k)), scaled(get(tile), ROWS * bytes.a.m)),
      aStride,
      i32.add(i32.add(get(bPanel), scaled(get(term), 4 * COLUMNS)), i32.mul(panelBytes, constant(panelOfPair))),
      constant(0),
      i32.sub(get(until), get(term)),
      i32.add(i32.add(get(to), constant(4 * COLUMNS * panelOfPair)), scaled(get(tile), ROWS * bytes.output.m)),
      constant(bytes.output.m),
      i32.or(get(start), get(term)),
      constant(1),
    )
  /** Whole strips of terms of a pair of panels, for all tiles. */
  const strips: Code = [
    set(before, get(to)),
    set(beforeStride, constant(bytes.output.m)),
    whileTrue(
      i32.leU(i32.add(get(term), constant(strip)), get(until)),
      set(isLast, i32.gtU(i32.add(get(term), constant(2 * strip)), get(until))),
      callFunction(
        stripKernel(module, target, aLayout, strip),
        i32.add(get(aRows), scaled(get(term), bytes.a.k)),
        aStride,
        i32.add(get(bPanel), scaled(get(term), 4 * COLUMNS)),
        panelBytes,
        get(before),
        get(beforeStride),
        select(get(to), sums, get(isLast)),
        select(constant(bytes.output.m), sumsStride, get(isLast)),
        get(tiles),
        i32.or(get(start), get(term)),
      ),
      set(before, sums),
      set(beforeStride, sumsStride),
      increase(term, strip),
    ),
  ]
  return { narrow, strips, panelBytes }
}
