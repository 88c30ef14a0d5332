/**
 * The innermost loop of a matrix product in WebAssembly: a tile of sums in registers.
 * @module
 */
import type { Storage } from "../contract.ts"
import {
  type Code,
  forRange,
  get,
  i32,
  increase,
  madd,
  type ModuleBuilder,
  set,
  type Target,
  v128,
  when,
} from "../wasm/assembler.ts"
import { loadLanes, loadStored, storeLanes } from "../wasm/lanes.ts"

/** Most rows of a tile: 6x8 sums, two vectors of b and one number of a fill the 16 registers of AVX2. */
export const ROWS = 6
/** Columns of a panel of b. */
export const COLUMNS = 8
const UNROLL = 4

/**
 * How a micro-kernel reads an operand. `panel`: packed, [k][rows] or [k][columns]. Else in place: `depth` has its neighbours
 * along k side by side (stride: from row to row), `across` those along m or n (stride: from one k to the next).
 */
export type Layout = "panel" | "depth" | "across"

/** Shape of a micro-kernel. */
export interface Tile {
  /** How a is read. */
  readonly a: Layout
  /** How b is read. */
  readonly b: "panel" | "across"
  /** Rows of sums, at most {@link ROWS}. */
  readonly rows: number
  /** Columns of sums, at most those of a panel. */
  readonly width: number
  /** Columns of a panel of b. Default {@link COLUMNS}. */
  readonly columns?: number
  /** What b holds where it is read in place. Default `"f32"`. */
  readonly storage?: Storage
}

/** First element and lanes of each vector that `count` neighbouring numbers fall into: 4, 4, ... and the rest. */
export const vectorsOf = (count: number): { readonly at: number; readonly lanes: number }[] =>
  Array.from({ length: Math.ceil(count / 4) }, (_, i) => ({ at: 4 * i, lanes: Math.min(4, count - 4 * i) }))

/**
 * Index of the function `(a, aStride, b, bStride, k, output, outputStride, more)`, all i32: output = a b, added to what
 * is there where `more` is not 0. Addresses and strides in bytes; a stride is not read where the layout needs none.
 */
export const microKernel = (module: ModuleBuilder, target: Target, tile: Tile): number => {
  const { columns = COLUMNS, storage = "f32" } = tile
  const name = `matmul_${tile.rows}x${tile.width}_${tile.a}_${tile.b}${columns}_${storage}_${target.relaxed}`
  const params = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"] as const
  return module.once(
    name,
    () =>
      module.func(name, params, [], (f, a, aStride, b, bStride, k, output, outputStride, more) => {
        const vectors = vectorsOf(tile.width)
        const sums = Array.from({ length: tile.rows }, () => vectors.map(() => f.local("v128")))
        const right = vectors.map(() => f.local("v128"))
        const lefts = sums.map(() => f.local("v128"))
        const [l, whole, row] = [f.local("i32"), f.local("i32"), f.local("i32")]
        const rows = tile.a === "depth" ? [a, ...sums.slice(1).map(() => f.local("i32"))] : []
        const loadLeft = (into: number, r: number, step: number): Code =>
          set(
            into,
            tile.a === "depth"
              ? v128.load32Splat(get(rows[r]), 4 * step)
              : v128.load32Splat(get(a), 4 * r + (tile.a === "panel" ? 4 * tile.rows * step : 0)),
          )
        const loadRight = (i: number, step: number): Code =>
          set(
            right[i],
            tile.b === "panel"
              ? v128.load(get(b), 16 * i + 4 * columns * step)
              : loadStored(module, storage, get(b), 1, vectors[i].lanes, vectors[i].at),
          )
        const add = (r: number, i: number, left: number): Code =>
          set(sums[r][i], madd(target, get(left), get(right[i]), get(sums[r][i])))
        // What there is less of stays in registers while the other passes by.
        const one = (step: number): Code =>
          tile.rows < vectors.length
            ? [
              lefts.map((left, r) => loadLeft(left, r, step)),
              vectors.map((_, i): Code => [loadRight(i, step), lefts.map((left, r) => add(r, i, left))]),
            ]
            : [
              vectors.map((_, i) => loadRight(i, step)),
              sums.map((_, r): Code => [loadLeft(lefts[0], r, step), vectors.map((_, i) => add(r, i, lefts[0]))]),
            ]
        const steps = (count: number): Code => [
          Array.from({ length: count }, (_, step): Code => [
            one(step),
            tile.b === "across" ? increase(b, get(bStride)) : [],
            tile.a === "across" ? increase(a, get(aStride)) : [],
          ]),
          tile.b === "panel" ? increase(b, 4 * columns * count) : [],
          tile.a === "panel" ? increase(a, 4 * tile.rows * count) : rows.map((pointer) => increase(pointer, 4 * count)),
        ]
        const eachRow = (body: (sum: number[]) => Code): Code => [
          set(row, get(output)),
          sums.map((sum, r): Code => [body(sum), r + 1 < tile.rows ? increase(row, get(outputStride)) : []]),
        ]
        return [
          when(
            get(more),
            eachRow((sum) => sum.map((s, i) => set(s, loadLanes(get(row), 1, vectors[i].lanes, vectors[i].at)))),
          ),
          rows.slice(1).map((pointer, r) => set(pointer, i32.add(get(rows[r]), get(aStride)))),
          set(whole, i32.and(get(k), i32.const(-UNROLL))),
          forRange(l, i32.const(0), get(whole), UNROLL, steps(UNROLL)),
          forRange(l, get(whole), get(k), 1, steps(1)),
          eachRow((sum) => sum.map((s, i) => storeLanes(get(row), 1, vectors[i].lanes, vectors[i].at, get(s)))),
        ]
      }),
  )
}
