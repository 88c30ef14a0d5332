/**
 * The innermost loop of a matrix product in WebAssembly: a tile of sums in registers.
 * @module
 */
import { F32 } from "../../encodings.ts"
import type { Encoding } from "../../encoding.ts"
import {
  brIf,
  type Code,
  f32x4,
  forRange,
  get,
  i32,
  increase,
  loop,
  madd,
  type ModuleBuilder,
  set,
  type Target,
  tee,
  v128,
  when,
} from "../../wasm/assembler.ts"
import { loadLanes, loadStored, storeLanes } from "../../wasm/lanes.ts"

/** Most rows of a tile: 6x8 sums, two vectors of b and one number of a fill the 15 registers that V8 gives out. */
export const ROWS = 6
/** Columns of a panel of b. */
export const COLUMNS = 8
const UNROLL = 8

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
  /** Columns of sums, at most {@link COLUMNS}. */
  readonly width: number
  /** What b holds where it is read in place. Default `"f32"`. */
  readonly encoding?: Encoding
}

/** First element and lanes of each vector that `count` neighbouring numbers fall into: 4, 4, ... and the rest. */
export const vectorsOf = (count: number): { readonly at: number; readonly lanes: number }[] =>
  Array.from({ length: Math.ceil(count / 4) }, (_, i) => ({ at: 4 * i, lanes: Math.min(4, count - 4 * i) }))

/**
 * Index of the function `(a, aStride, b, bStride, k, output, outputStride, more, panels)`, all i32: output = a b, added to
 * what is there where `more` is not 0; then the same with the next panels of b, which follow each other as the columns of
 * the output do, `panels` of them in all, at least 1. Addresses and strides in bytes; a stride is not read where the
 * layout needs none.
 */
export const microKernel = (module: ModuleBuilder, target: Target, tile: Tile): number => {
  const { encoding = F32 } = tile
  const name = `matmul_${tile.rows}x${tile.width}_${tile.a}_${tile.b}_${encoding.name}_${target.relaxed}`
  const params = new Array(9).fill("i32" as const)
  return module.once(
    name,
    () =>
      module.func(name, params, [], (f, a, aStride, b, bStride, k, output, outputStride, more, panels) => {
        const vectors = vectorsOf(tile.width)
        const sums = Array.from({ length: tile.rows }, () => vectors.map(() => f.local("v128")))
        const right = vectors.map(() => f.local("v128"))
        const left = f.local("v128")
        const [l, whole, row] = [f.local("i32"), f.local("i32"), f.local("i32")]
        // Each row of a has an address of its own, neighbours too: V8 reads them a sixth more slowly from one address. Not
        // where each step would have to move them all.
        const across = tile.a === "across"
        const places = (across ? [0] : sums).map(() => f.local("i32"))
        const perStep = tile.a === "depth" ? 4 : 4 * tile.rows
        const loadLeft = (r: number, step: number): Code =>
          set(left, across ? v128.load32Splat(get(places[0]), 4 * r) : v128.load32Splat(get(places[r]), perStep * step))
        const loadRight = (i: number, step: number): Code =>
          set(
            right[i],
            tile.b === "panel"
              ? v128.load(get(b), 16 * i + 4 * COLUMNS * step)
              : loadStored(module, encoding, get(b), 1, vectors[i].lanes, vectors[i].at),
          )
        const one = (step: number): Code => [
          vectors.map((_, i) => loadRight(i, step)),
          sums.map((sum, r): Code => [
            loadLeft(r, step),
            sum.map((s, i) => set(s, madd(target, get(left), get(right[i]), get(s)))),
          ]),
        ]
        const steps = (count: number): Code => [
          Array.from({ length: count }, (_, step): Code => [
            one(step),
            tile.b === "across" ? increase(b, get(bStride)) : [],
            across ? increase(places[0], get(aStride)) : [],
          ]),
          tile.b === "panel" ? increase(b, 4 * COLUMNS * count) : [],
          across ? [] : places.map((place) => increase(place, perStep * count)),
        ]
        const eachRow = (body: (sum: number[]) => Code): Code => [
          set(row, get(output)),
          sums.map((sum, r): Code => [body(sum), r + 1 < tile.rows ? increase(row, get(outputStride)) : []]),
        ]
        const each = (body: (sum: number, i: number) => Code): Code => eachRow((sum) => sum.map((s, i) => body(s, i)))
        return [
          set(whole, i32.and(get(k), i32.const(-UNROLL))),
          loop(
            when(
              get(more),
              each((s, i) => set(s, loadLanes(get(row), 1, vectors[i].lanes, vectors[i].at))),
              sums.map((sum) => sum.map((s) => set(s, f32x4.const(0)))),
            ),
            places.map((place, r) =>
              set(
                place,
                r === 0 ? get(a) : i32.add(get(places[r - 1]), tile.a === "depth" ? get(aStride) : i32.const(4)),
              )
            ),
            forRange(l, i32.const(0), get(whole), UNROLL, steps(UNROLL)),
            forRange(l, get(whole), get(k), 1, steps(1)),
            each((s, i) => storeLanes(get(row), 1, vectors[i].lanes, vectors[i].at, get(s))),
            increase(output, 4 * tile.width),
            brIf(0, tee(panels, i32.sub(get(panels), i32.const(1)))),
          ),
        ]
      }),
  )
}
