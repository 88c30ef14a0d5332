/**
 * The loops of matrix products of few rows in WebAssembly.
 * @module
 */
import { inBlocks } from "../../encoding.ts"
import { F32 } from "../../encodings.ts"
import {
  call as callFunction,
  type Code,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  set,
  when,
  whileTrue,
} from "../../wasm/assembler.ts"
import { dotKernel } from "./dot_kernel.ts"
import { blocksTogether } from "./groups/groups.ts"
import { microKernel } from "./micro_kernel.ts"
import { distancesOf, enterEntry, minimum, scaled, type Writing } from "./operands.ts"
import { blockOf } from "../../wasm/lanes.ts"
import { memoryOf } from "../../wasm/placed.ts"
import { layoutOf, pack } from "./pack.ts"
import type { ThinBlocking } from "./thin.ts"

const constant = i32.const

/** Locals of some panels of columns of one entry. */
interface Run {
  /** The first panel, the one behind the last, and the one behind the last that is full. */
  readonly first: number
  readonly last: number
  readonly full: number
  /** First elements: of the entry in a, of the first panel in b and in the output. */
  readonly a: number
  readonly b: number
  readonly output: number
  /** What a thread packs into. */
  readonly scratch: number
}

/** The driver of thin products: as `driverOf`, but all rows are one panel. */
export const thinDriver = (writing: Writing, blocking: ThinBlocking, epilogue: number | undefined): number => {
  const { module, product, encodings } = writing
  const { m, n, k } = product
  const { dot, columns, columnPanels, unitPanels, entryUnits } = blocking
  const bytes = distancesOf(product, encodings)
  const params = new Array(6 + bytes.beside.length).fill("i32" as const)
  return module.func(`matmul_${m}x${n}x${k}`, params, [], (f, begin, end, scratch, ...bases) => {
    const [entry, unit, first, last, full, firstRow] = Array.from({ length: 6 }, () => f.local("i32"))
    const places = bases.map(() => f.local("i32"))
    const [a, b, output, ...beside] = places
    const run: Run = { first, last, full, a, b, output, scratch }
    const along = [0, bytes.b.n, bytes.output.n, ...bytes.beside.map(({ n }) => n)]
    const finish = (written: number): Code =>
      callFunction(
        written,
        constant(m),
        i32.sub(minimum(f, constant(n), scaled(get(last), columns)), scaled(get(first), columns)),
        get(firstRow),
        scaled(get(first), columns),
        get(output),
        ...beside.map(get),
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
      places.map((place, i) => set(place, i32.add(get(bases[i]), scaled(get(first), columns * along[i])))),
      enterEntry(product, encodings, entry, { a, b, output, beside }),
      (blocking.blocks ? blockProducts : dot ? dotProducts : tilesOfSums)(f, writing, blocking, run),
      epilogue === undefined ? [] : finish(epilogue),
    )
  })
}

/** Rows before each panel of rows. */
const rowsBefore = ({ panels }: ThinBlocking) => panels.map((_, i) => i * panels[0])

/**
 * All sums of a run by dot products. The columns of a tile lie as far apart as they can: so each is part of a long stream,
 * which the machine prefetches. Neighbouring ones take more than twice as long, as each ends where the next began.
 */
const dotProducts = (
  f: FunctionScope,
  { module, target, product, encodings }: Writing,
  blocking: ThinBlocking,
  { first, last, full, a, b, output, scratch }: Run,
): Code => {
  const { m, n, k } = product
  const { columns, panels, plain } = blocking
  const bytes = distancesOf(product, encodings), before = rowsBefore(blocking)
  const width = n % columns
  const [column, apart] = [f.local("i32"), f.local("i32")]
  const [bTile, to] = [f.local("i32"), f.local("i32")]
  const arranged = plain?.arranged
  const [aRows, aStride] = arranged === undefined ? [a, bytes.a.m] : [scratch, arranged.bytes]
  const arrangeRow = (r: number): Code =>
    arranged === undefined ? [] : callFunction(
      arranged.row(module),
      i32.add(get(a), constant(r * bytes.a.m)),
      i32.add(get(scratch), constant(r * aStride)),
      constant(arranged.groups),
    )
  const kernel = (rows: number, columns: number): number =>
    plain === undefined
      ? dotKernel(module, target, { rows, columns, tail: k % 4, encoding: encodings.b })
      : plain.dot({ module, target, memory: memoryOf(encodings.b) }, { rows, columns })
  const tile = (width: number, apart: Code): Code =>
    panels.map((rows, i) =>
      callFunction(
        kernel(rows, width),
        i32.add(get(aRows), constant(before[i] * aStride)),
        constant(aStride),
        get(bTile),
        scaled(apart, bytes.b.n),
        constant(k),
        i32.add(get(to), constant(before[i] * bytes.output.m)),
        constant(bytes.output.m),
        scaled(apart, bytes.output.n),
      )
    )
  const move = (count: Code): Code => [
    increase(bTile, scaled(count, bytes.b.n)),
    increase(to, scaled(count, bytes.output.n)),
  ]
  return [
    Array.from({ length: m }, (_, r) => arrangeRow(r)),
    set(apart, i32.sub(get(full), get(first))),
    set(bTile, get(b)),
    set(to, get(output)),
    forRange(column, constant(0), get(apart), 1, tile(columns, get(apart)), move(constant(1))),
    width === 0 ? [] : when(i32.ltU(get(full), get(last)), [
      move(scaled(get(apart), columns - 1)),
      tile(width, constant(1)),
    ]),
  ]
}

/** All sums of a run by dot products that read whole blocks of b, some blocks of all columns at a time. */
const blockProducts = (
  f: FunctionScope,
  { module, target, product, encodings }: Writing,
  blocking: ThinBlocking,
  { first, last, a, b, output, scratch }: Run,
): Code => {
  const { n, k } = product, encoding = encodings.b
  const { block, blockBytes, most, dot } = blocking.blocks!
  const bytes = distancesOf(product, encodings), before = rowsBefore(blocking)
  const writing = { module, target, memory: memoryOf(encoding) }
  const blocks = k / block, depth = blocksTogether(blocks, most)
  const columns = f.local("i32"), from = f.local("i32")
  const sums = (start: number): Code =>
    blocking.panels.map((rows, i) =>
      callFunction(
        dot(writing, { rows, blocks: Math.min(depth, blocks - start) }),
        i32.add(get(a), constant(before[i] * bytes.a.m + 4 * block * start)),
        constant(bytes.a.m),
        i32.add(get(from), constant(blockBytes * start)),
        constant(inBlocks(encoding) ? product.b.n / block * blockBytes : bytes.b.n),
        get(columns),
        i32.add(get(output), constant(before[i] * bytes.output.m)),
        constant(bytes.output.m),
        constant(start),
        get(scratch),
      )
    )
  return [
    set(columns, minimum(f, constant(n), scaled(get(last), blocking.columns))),
    set(columns, i32.sub(get(columns), scaled(get(first), blocking.columns))),
    set(from, inBlocks(encoding) ? blockOf(module, encoding, get(b)) : get(b)),
    Array.from({ length: Math.ceil(blocks / depth) }, (_, i) => sums(i * depth)),
  ]
}

/** All sums of a run in tiles of a micro-kernel, some terms at a time. */
const tilesOfSums = (
  f: FunctionScope,
  { module, target, product, encodings }: Writing,
  blocking: ThinBlocking,
  { first, last, full, a, b, output, scratch }: Run,
): Code => {
  const { n, k } = product
  const { inPlace, panels, columns, depth } = blocking
  const aLayout = layoutOf(product.a.k, product.a.m), bLayout = layoutOf(product.b.k, product.b.n)
  const bytes = distancesOf(product, encodings), before = rowsBefore(blocking)
  const width = n % columns
  const [start, count, column, aPanel, bPanel, to] = Array.from({ length: 6 }, () => f.local("i32"))
  const aPacked = i32.add(get(scratch), constant(inPlace.b ? 0 : 4 * depth * columns))
  const rowsOf = (i: number): Code =>
    inPlace.a
      ? i32.add(get(aPanel), constant(before[i] * bytes.a.m))
      : i32.add(aPacked, constant(4 * depth * before[i]))
  const packRows = (rows: number, i: number): Code =>
    callFunction(
      pack(module, aLayout, rows, rows, encodings.a),
      i32.add(get(aPanel), constant(before[i] * bytes.a.m)),
      constant(bytes.a.k),
      constant(bytes.a.m),
      get(count),
      rowsOf(i),
    )
  const packColumns = (width: number): Code =>
    callFunction(
      pack(module, bLayout, width, columns, encodings.b),
      get(bPanel),
      constant(bytes.b.k),
      constant(bytes.b.n),
      get(count),
      get(scratch),
    )
  const tile = (rows: number, width: number, i: number): Code =>
    callFunction(
      microKernel(module, target, {
        a: inPlace.a && aLayout !== "strided" ? aLayout : "panel",
        b: inPlace.b ? "across" : "panel",
        rows,
        width,
        encoding: inPlace.b ? encodings.b : F32,
      }),
      rowsOf(i),
      constant(aLayout === "depth" ? bytes.a.m : bytes.a.k),
      inPlace.b ? get(bPanel) : get(scratch),
      constant(bytes.b.k),
      get(count),
      i32.add(get(to), constant(before[i] * bytes.output.m)),
      constant(bytes.output.m),
      get(start),
      constant(1),
    )
  const panelOfColumns = (width: number): Code => [
    inPlace.b ? [] : packColumns(width),
    panels.map((rows, i) => tile(rows, width, i)),
  ]
  return [
    set(start, constant(0)),
    whileTrue(
      i32.or(i32.ltU(get(start), constant(k)), i32.eqz(get(start))), // of no terms, the sum is 0
      set(count, minimum(f, constant(depth), i32.sub(constant(k), get(start)))),
      set(aPanel, i32.add(get(a), scaled(get(start), bytes.a.k))),
      set(bPanel, i32.add(get(b), scaled(get(start), bytes.b.k))),
      set(to, get(output)),
      inPlace.a ? [] : panels.map(packRows),
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
      increase(start, Math.max(1, depth)),
    ),
  ]
}
