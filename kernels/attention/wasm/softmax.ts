/**
 * The softmax of one row of scores in WebAssembly.
 * @module
 */
import { HIDDEN } from "../../../core/tensor/composites/attention.ts"
import { keyOf } from "../../collapse.ts"
import { vectorsOf } from "../../matmul/wasm/micro_kernel.ts"
import { scaled } from "../../matmul/wasm/operands.ts"
import { type Code, f32x4, forRange, get, i32, increase, madd, set, v128, when } from "../../wasm/assembler.ts"
import type { KernelContext } from "../../wasm/kernel.ts"
import { loadLanes } from "../../wasm/lanes.ts"
import { hoistedNumbers } from "../../wasm/wide.ts"
import { keyRange } from "./key_range.ts"
import { integers } from "./parts.ts"
import { powerOfTwo } from "./power.ts"
import type { Shape } from "./shape.ts"

/**
 * Index of the function `(scores, bias, factor, first, end, bounds, stats)`, all i32: turns a row's scores into weights
 * that are not yet divided by their sum; `bounds` is the address of the query's range. The largest score (times scale, as
 * power of two) goes to `stats`, the sum 32 bytes further. The keys are the head's, and first <= key < end.
 */
export const softmaxRow = (
  { module, target }: KernelContext,
  { keys, scale, apart, head, bias, factor }: Shape,
): number => {
  const biasStride = bias?.[4], factorStride = factor?.[4]
  const tail = keys % 8
  return module.once(
    keyOf(["attention_softmax", keys, scale, apart, head, biasStride, factorStride, target.relaxed]),
    () =>
      module.func(
        "attention_softmax",
        new Array(7).fill("i32"),
        [],
        (f, scores, biasRow, factorRow, first, end, bounds, stats) => {
          const [key, at, biasAt, factorAt] = integers(f, 4)
          const [tops, sums] = [0, 1].map(() => [f.local("v128"), f.local("v128")])
          const [x, n, negative, hidden] = [0, 1, 2, 3].map(() => f.local("v128"))
          const numbers = hoistedNumbers(f)
          const { number } = numbers
          const scoreScale = number(scale * Math.LOG2E)
          const seen = keyRange(f, { first, end, apart, whole: keys - tail })
          type Body = (place: number, lanes: number, i: number, hides: boolean) => Code
          /** Keys from where `at` and the others stand: a place, how many, which of two vectors, whether some are hidden. */
          const walk = (body: Body): Code => {
            const panel = (count: number, hides: boolean) =>
              vectorsOf(count).map(({ at, lanes }, i) => body(at, lanes, i, hides))
            const advance: Code = [
              increase(at, 32),
              biasStride === undefined ? [] : increase(biasAt, 32 * biasStride),
              factorStride === undefined ? [] : increase(factorAt, 32 * factorStride),
            ]
            const pointers = [[at, scores, 1], [biasAt, biasRow, biasStride], [
              factorAt,
              factorRow,
              factorStride,
            ]] as const
            const begin = (key: Code): Code =>
              pointers.map(([to, row, stride]) =>
                stride === undefined ? [] : set(to, i32.add(get(row), scaled(key, 4 * stride)))
              )
            return [
              head === 0 ? [] : [
                begin(i32.const(0)),
                forRange(key, i32.const(0), i32.const(head), 8, panel(8, true), advance),
              ],
              begin(get(first)),
              seen.parts.map(({ from, to, hides }) => forRange(key, from, to, 8, panel(8, hides), advance)),
              tail > 0 ? when(i32.ltU(get(seen.whole), get(end)), panel(tail, true)) : [],
            ]
          }
          const score = (place: number): Code => v128.load(get(at), 4 * place)
          /** Sets x to a value where the key is seen, else to what hidden ones have. */
          const where = (place: number, lanes: number, value: Code, otherwise: Code): Code => [
            set(x, v128.bitselect(value, otherwise, seen.visible(get(key), place))),
            // Beyond the last key there is no weight at all.
            lanes === 4 ? [] : set(
              x,
              v128.bitselect(get(x), number(-Infinity), v128.const(-1, lanes > 1 ? -1 : 0, lanes > 2 ? -1 : 0, 0)),
            ),
          ]
          const combined = ([a, b]: number[], combine: (a: Code, b: Code) => Code): Code => [
            set(a, combine(get(a), get(b))),
            set(a, combine(get(a), v128.shuffle32(get(a), get(a), [2, 3, 0, 1]))),
            set(a, combine(get(a), v128.shuffle32(get(a), get(a), [1, 0, 3, 2]))),
          ]
          const times = (place: number): Code => f32x4.mul(score(place), scoreScale)
          /** A score as power of two; one with a bias is kept. */
          const power = (place: number, lanes: number): Code =>
            biasStride === undefined ? times(place) : [
              v128.store(
                get(at),
                madd(
                  target,
                  loadLanes(get(biasAt), biasStride, lanes, place * biasStride),
                  number(Math.LOG2E),
                  times(place),
                ),
                4 * place,
              ),
              score(place),
            ]
          /** A score less the greatest. */
          const less = (place: number): Code =>
            biasStride === undefined
              ? madd(target, score(place), scoreScale, get(negative))
              : f32x4.add(score(place), get(negative))
          const code: Code = [
            seen.begin(bounds),
            tops.map((top) => set(top, number(-Infinity))),
            walk((place, lanes, i, hides) => [
              hides ? where(place, lanes, power(place, lanes), number(HIDDEN)) : set(x, power(place, lanes)),
              set(tops[i], f32x4.pmax(get(tops[i]), get(x))),
            ]),
            combined(tops, f32x4.pmax),
            set(negative, f32x4.neg(get(tops[0]))),
            set(hidden, f32x4.add(number(HIDDEN), get(negative))),
            // Weights are rounded alike, whether or not a key is near one that is hidden.
            walk((place, lanes, i, hides) => [
              hides ? where(place, lanes, less(place), get(hidden)) : set(x, less(place)),
              set(x, powerOfTwo(target, number, x, n)),
              set(sums[i], f32x4.add(get(sums[i]), get(x))),
              v128.store(
                get(at),
                factorStride === undefined
                  ? get(x)
                  : f32x4.mul(get(x), loadLanes(get(factorAt), factorStride, lanes, place * factorStride)),
                4 * place,
              ),
            ]),
            combined(sums, f32x4.add),
            v128.store32Lane(0, get(stats), get(tops[0])),
            v128.store32Lane(0, get(stats), get(sums[0]), 32),
          ]
          return [numbers.set(), code]
        },
      ),
  )
}
