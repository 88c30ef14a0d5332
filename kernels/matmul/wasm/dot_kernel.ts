/**
 * The innermost loop of a matrix product in WebAssembly whose operands both have their neighbours along k side by side.
 * @module
 */
import type { Encoding } from "../../encoding.ts"
import { F32 } from "../../encodings.ts"
import {
  type Code,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  madd,
  type ModuleBuilder,
  set,
  type Target,
  v128,
} from "../../wasm/assembler.ts"
import { loadStored, stepOf } from "../../wasm/lanes.ts"

const UNROLL = 4

/** Shape of a kernel of dot products. */
export interface DotTile {
  /** Rows of a. */
  readonly rows: number
  /** Columns of b. */
  readonly columns: number
  /** What is left of k in vectors of four: k modulo 4. */
  readonly tail: number
  /** What b holds. */
  readonly encoding: Encoding
}

/**
 * Index of the function `(a, aStride, b, bApart, k, output, outputStride, outputApart)`, all i32: output = a b. Every lane
 * sums each fourth term, then the lanes are summed. Addresses in bytes, as the distances from row to row (`Stride`) and
 * from column to column (`Apart`).
 */
export const dotKernel = (module: ModuleBuilder, target: Target, tile: DotTile): number => {
  const { rows, columns, tail, encoding } = tile
  const name = `matmul_dot_${rows}x${columns}_${tail}_${encoding.name}_${target.relaxed}`
  const params = new Array(8).fill("i32" as const)
  return module.once(
    name,
    () =>
      module.func(name, params, [], (f, a, aStride, b, bApart, k, output, outputStride, outputApart) => {
        const lefts = Array.from({ length: rows }, () => f.local("v128"))
        const sums = lefts.map(() => Array.from({ length: columns }, () => f.local("v128")))
        const [right, l, whole, rounds] = [f.local("v128"), f.local("i32"), f.local("i32"), f.local("i32")]
        const aRows = [a, ...lefts.slice(1).map(() => f.local("i32"))]
        const bColumns = [b, ...sums[0].slice(1).map(() => f.local("i32"))]
        const terms = (lanes: number, step = 0): Code => [
          lefts.map((left, r) => set(left, loadStored(module, F32, get(aRows[r]), 1, lanes, 4 * step))),
          bColumns.map((column, c): Code => [
            set(right, loadStored(module, encoding, get(column), 1, lanes, 4 * step)),
            lefts.map((left, r) => set(sums[r][c], madd(target, get(left), get(right), get(sums[r][c])))),
          ]),
        ]
        const steps = (count: number): Code => [
          Array.from({ length: count }, (_, step) => terms(4, step)),
          aRows.map((row) => increase(row, 16 * count)),
          bColumns.map((column) => increase(column, 4 * stepOf(encoding) * count)),
        ]
        return [
          aRows.slice(1).map((row, r) => set(row, i32.add(get(aRows[r]), get(aStride)))),
          bColumns.slice(1).map((column, c) => set(column, i32.add(get(bColumns[c]), get(bApart)))),
          set(whole, i32.shrU(get(k), i32.const(2))),
          set(rounds, i32.and(get(whole), i32.const(-UNROLL))),
          forRange(l, i32.const(0), get(rounds), UNROLL, steps(UNROLL)),
          forRange(l, get(rounds), get(whole), 1, steps(1)),
          tail === 0 ? [] : terms(tail),
          sums.map((row) => inFours(row).map(sumLanes)),
          storeTile(f, sums.map((row) => inFours(row).map(([first]) => first)), columns, {
            output,
            outputStride,
            outputApart,
          }),
        ]
      }),
  )
}

const pairs = (x: number, y: number): Code =>
  f32x4.add(v128.shuffle32(get(x), get(y), [0, 1, 4, 5]), v128.shuffle32(get(x), get(y), [2, 3, 6, 7]))

/** Sums of the lanes of up to four vectors, side by side in the first. */
export const sumLanes = ([w, x = w, y, z = y]: ReadonlyArray<number>): Code => [
  set(w, pairs(w, x)),
  y === undefined ? [] : set(y, pairs(y, z)),
  set(
    w,
    f32x4.add(
      v128.shuffle32(get(w), get(y ?? w), [0, 2, 4, 6]),
      v128.shuffle32(get(w), get(y ?? w), [1, 3, 5, 7]),
    ),
  ),
]

/** Locals of a row of a tile, four by four. */
export const inFours = (row: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: Math.ceil(row.length / 4) }, (_, i) => row.slice(4 * i, 4 * i + 4))

/**
 * Stores a tile of numbers.
 *
 * @param rows By row, vectors of four columns.
 * @param to Locals with the byte address of the first number, which moves on, and the distances from row to row and from
 * column to column.
 */
export const storeTile = (
  f: FunctionScope,
  rows: ReadonlyArray<ReadonlyArray<number>>,
  columns: number,
  { output, outputStride, outputApart }: Readonly<Record<"output" | "outputStride" | "outputApart", number>>,
): Code => {
  const to = f.local("i32")
  return rows.map((vectors) => [
    set(to, get(output)),
    Array.from({ length: columns }, (_, c) => [
      v128.store32Lane(c % 4, get(to), get(vectors[c >> 2])),
      increase(to, get(outputApart)),
    ]),
    increase(output, get(outputStride)),
  ])
}
