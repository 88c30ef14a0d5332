/**
 * Runs of units of a matrix product in WebAssembly: neighbouring panels of rows in one chunk of columns of one entry.
 * @module
 */
import {
  call as callFunction,
  type Code,
  type FunctionScope,
  get,
  i32,
  increase,
  set,
  when,
  whileTrue,
} from "../../wasm/assembler.ts"
import { type Encoding, inBlocks } from "../../encoding.ts"
import { COLUMNS } from "./micro_kernel.ts"
import { distancesOf, enterEntry, minimum, scaled, type Writing } from "./operands.ts"
import { packOnce } from "./pack.ts"

/** Most depth of a block. Whole is best: b is packed once, the output written once, and rows of a are read in long streams;
 * from here on a row of a for each row of the tile no longer stays in the nearer caches. */
const DEPTH = 1536
/** Chunks are so narrow that there are so many units, for even shares of many threads. */
export const UNITS = 96

/** How a product is cut into units: each is one panel of rows in one chunk. */
export interface Cut {
  /** Panels of rows in an entry. */
  readonly rowPanels: number
  /** Panels of columns in an entry. */
  readonly columnPanels: number
  /** Panels of columns in a chunk, and chunks. */
  readonly chunkPanels: number
  readonly chunks: number
  /** Terms that are packed and summed at a time. */
  readonly depth: number
  /** Rows from one that the epilogue meets to its next. */
  readonly apart: number
  /** Number of units. */
  readonly units: number
  /** Fewest of them that pay for what a thread does before. */
  readonly grain: number
  /** What a thread needs for itself, in bytes. */
  readonly scratchBytes: number
}

/** Depth of the blocks that `k` terms fall into: whole blocks of an encoding of b. */
export const depthOf = (k: number, b: Encoding): number => {
  const depth = Math.ceil(k / Math.max(1, Math.ceil(k / DEPTH)))
  return inBlocks(b) ? b.block * Math.ceil(depth / b.block) : depth
}

/** Size of the parts when `count` things fall into `least` to twice as many: the largest that leaves the last one fullest. */
const evenly = (count: number, least: number): number => {
  const sizes = Array.from({ length: least + 1 }, (_, i) => Math.ceil(count / (least + i)))
  const missing = (size: number) => size * Math.ceil(count / size) - count
  return sizes.reduce((best, size) => missing(size) < missing(best) ? size : best)
}

/** Panels of a chunk, a multiple of `together`, where `panels` of them fall into at least `least` chunks. */
export const chunkOf = (panels: number, together: number, least: number): number => {
  const count = Math.ceil(panels / together)
  return together * evenly(count, Math.min(count, least))
}

/** Locals of a block of depth of a run. */
export interface Run {
  /** Its first panel of rows, and the one behind its last. */
  readonly first: number
  readonly last: number
  /** Panels of columns, and those that are full. */
  readonly panels: number
  readonly full: number
  /** First elements of the operands' parts: of the entry in a, of the chunk in b and in the output. */
  readonly a: number
  readonly b: number
  readonly output: number
  /** First term of the block, and number of its terms. */
  readonly start: number
  readonly count: number
  /** Code that packs the block of b, unless it is all of the depth and the thread holds it already. */
  readonly packOnce: (pack: Code) => Code
  /**
   * Runs the epilogue, if there is one and this is the last block.
   *
   * @param row First of the rows, within the entry; evaluated several times.
   */
  readonly finish: (rows: Code, row: Code) => Code
}

/**
 * Index of the function `(begin, end, scratch, a, b, output, ...beside)`, all i32, that runs units of one shape of
 * product and then, where there is one, the function of its epilogue.
 *
 * @param body Code of a block of depth; `scratch` is the local with the thread's own workspace.
 */
export const driverOf = (
  writing: Writing,
  cut: Cut,
  epilogue: number | undefined,
  body: (f: FunctionScope, run: Run, scratch: number) => Code,
): number => {
  const { module, product: { m, n, k, beside } } = writing
  const params = new Array(6 + beside.length).fill("i32" as const)
  return module.func(
    `matmul_${m}x${n}x${k}`,
    params,
    [],
    (f, begin, end, scratch, ...operands) =>
      eachRun(f, writing, cut, begin, end, operands, epilogue, (run) => body(f, run, scratch)),
  )
}

/**
 * Code of all blocks of depth of all runs of units.
 *
 * @param begin Local with the first unit, which moves on, as `end` has the one behind the last.
 * @param operands Locals with the first elements of a, b, the output and the views of the epilogue.
 */
const eachRun = (
  f: FunctionScope,
  { module, product, encodings }: Writing,
  { rowPanels, columnPanels, chunkPanels, chunks, depth }: Cut,
  begin: number,
  end: number,
  operands: ReadonlyArray<number>,
  epilogue: number | undefined,
  body: (run: Run) => Code,
): Code => {
  const { n, m, k } = product
  const bytes = distancesOf(product, encodings)
  const local = () => f.local("i32")
  const [entry, chunk, first, last, number, panels, full, firstRow, start, count] = Array.from({ length: 10 }, local)
  const places = operands.map(local)
  const [a, b, output, ...beside] = places
  const along = [0, bytes.b.n, bytes.output.n, ...bytes.beside.map(({ n }) => n)]
  const chunkColumns = chunkPanels * COLUMNS
  const whole = k <= depth
  const finish: Run["finish"] = (rows, row) => {
    if (epilogue === undefined) return []
    const code = callFunction(
      epilogue,
      rows,
      minimum(f, i32.const(chunkColumns), i32.sub(i32.const(n), scaled(get(chunk), chunkColumns))),
      i32.add(get(firstRow), row),
      scaled(get(chunk), chunkColumns),
      i32.add(get(output), i32.mul(row, i32.const(bytes.output.m))),
      ...bytes.beside.map((view, i) => i32.add(get(beside[i]), i32.mul(row, i32.const(view.m)))),
    )
    return whole ? code : when(i32.geU(i32.add(get(start), get(count)), i32.const(k)), code)
  }
  const run: Run = {
    first,
    last,
    panels,
    full,
    a,
    b,
    output,
    start,
    count,
    packOnce: (pack) => whole ? packOnce(module, number, pack) : pack,
    finish,
  }
  return whileTrue(
    i32.ltU(get(begin), get(end)),
    set(first, i32.remU(get(begin), i32.const(rowPanels))),
    set(entry, i32.divU(get(begin), i32.const(rowPanels))),
    set(number, i32.add(get(entry), i32.const(1))),
    set(chunk, i32.remU(get(entry), i32.const(chunks))),
    set(entry, i32.divU(get(entry), i32.const(chunks))),
    set(last, minimum(f, i32.const(rowPanels), i32.add(get(first), i32.sub(get(end), get(begin))))),
    increase(begin, i32.sub(get(last), get(first))),
    set(panels, minimum(f, i32.const(chunkPanels), i32.sub(i32.const(columnPanels), scaled(get(chunk), chunkPanels)))),
    set(full, get(panels)),
    n % COLUMNS > 0 ? when(i32.eq(get(chunk), i32.const(chunks - 1)), increase(full, -1)) : [],
    places.map((place, i) => set(place, i32.add(get(operands[i]), scaled(get(chunk), chunkColumns * along[i])))),
    epilogue === undefined ? [] : set(firstRow, scaled(get(entry), m)),
    enterEntry(product, encodings, entry, { a, b, output, beside }),
    set(start, i32.const(0)),
    // At least once: of no terms, the sum is 0.
    whileTrue(
      i32.or(i32.ltU(get(start), i32.const(k)), i32.eqz(get(start))),
      set(count, minimum(f, i32.const(depth), i32.sub(i32.const(k), get(start)))),
      body(run),
      increase(start, Math.max(1, depth)),
    ),
  )
}
