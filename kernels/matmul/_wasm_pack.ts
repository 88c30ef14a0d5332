/**
 * Packing of a matrix product's operands in WebAssembly: panels that a micro-kernel reads in order.
 * @module
 */
import {
  type Code,
  f32,
  f32x4,
  forRange,
  get,
  i32,
  increase,
  type ModuleBuilder,
  set,
  v128,
} from "../wasm/assembler.ts"
import { loadLanes, storeLanes } from "../wasm/lanes.ts"
import { COLUMNS, type Layout, vectorsOf } from "./_wasm_micro_kernel.ts"

/** How an operand lies, by its strides in elements along k and along m or n. */
export const layoutOf = (depthStride: number, acrossStride: number): Layout | "strided" =>
  depthStride === 1 ? "depth" : acrossStride === 1 ? "across" : "strided"

/**
 * Index of the function `(from, depthStride, acrossStride, k, to)`, all i32: packs `count` lanes of each k, side by
 * side, into [k][padded]; further lanes are 0. Strides in bytes; a stride of 4 where the layout says so.
 */
export const pack = (module: ModuleBuilder, layout: Layout | "strided", count: number, padded: number): number => {
  const name = `matmul_pack_${layout}_${count}_${padded}`
  const params = ["i32", "i32", "i32", "i32", "i32"] as const
  return module.once(name, () =>
    module.func(name, params, [], (f, from, depthStride, acrossStride, k, to) => {
      const [l, whole, at, vector] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("v128")]
      const oneByOne = (start: Code): Code =>
        forRange(
          l,
          start,
          get(k),
          1,
          layout === "across"
            ? vectorsOf(padded).map(({ at, lanes }): Code => [
              set(vector, count > at ? loadLanes(get(from), 1, Math.min(lanes, count - at), at) : f32x4.const(0)),
              storeLanes(get(to), 1, lanes, at, get(vector)),
            ])
            : [
              set(at, get(from)),
              Array.from({ length: padded }, (_, i): Code =>
                i < count
                  ? [f32.store(get(to), f32.load(get(at)), 4 * i), increase(at, get(acrossStride))]
                  : f32.store(get(to), f32.const(0), 4 * i)),
            ],
          increase(from, get(depthStride)),
          increase(to, 4 * padded),
        )
      if (layout !== "depth" || count < COLUMNS) return oneByOne(i32.const(0))
      // Four k of eight lanes at a time: two transposes of 4x4.
      const vectors = Array.from({ length: 4 }, () => f.local("v128"))
      const halves = Array.from({ length: 4 }, () => f.local("v128"))
      const transpose = (offset: number): Code => [
        vectors.map((vector): Code => [set(vector, v128.load(get(at))), increase(at, get(acrossStride))]),
        [[0, 2, 0], [1, 3, 0], [0, 2, 2], [1, 3, 2]].map(([x, y, lane], i) =>
          set(halves[i], v128.shuffle32(get(vectors[x]), get(vectors[y]), [lane, lane + 4, lane + 1, lane + 5]))
        ),
        [0, 1, 2, 3].map((i) => {
          const [x, y, lane] = [halves[i < 2 ? 0 : 2], halves[i < 2 ? 1 : 3], 2 * (i % 2)]
          return v128.store(
            get(to),
            v128.shuffle32(get(x), get(y), [lane, lane + 4, lane + 1, lane + 5]),
            offset + 32 * i,
          )
        }),
      ]
      return [
        set(whole, i32.and(get(k), i32.const(-4))),
        forRange(
          l,
          i32.const(0),
          get(whole),
          4,
          set(at, get(from)),
          transpose(0),
          transpose(16),
          increase(from, 16),
          increase(to, 128),
        ),
        oneByOne(get(whole)),
      ]
    }))
}
