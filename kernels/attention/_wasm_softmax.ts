/**
 * The softmax of one row of scores in WebAssembly.
 * @module
 */
import { HIDDEN } from "../../core/tensor/composites/attention.ts"
import { keyOf } from "../collapse.ts"
import { vectorsOf } from "../matmul/_wasm_micro_kernel.ts"
import { scaled } from "../matmul/_wasm_operands.ts"
import { type Code, f32x4, forRange, get, i32, increase, madd, set, v128, when } from "../wasm/assembler.ts"
import type { KernelContext } from "../wasm/kernel.ts"
import { loadLanes } from "../wasm/lanes.ts"
import { hoistedNumbers } from "../wasm/wide.ts"
import { integers, lesser } from "./_wasm_parts.ts"
import { powerOfTwo } from "./_wasm_power.ts"
import type { Shape } from "./_wasm_shape.ts"

/**
 * Index of the function `(scores, mask, factor, first, clear, end, stats)`, all i32: turns a row's scores into weights
 * that are not yet divided by their sum. The largest score (times scale, as power of two) goes to `stats`, the sum 32
 * bytes further.
 */
export const softmaxRow = ({ module, target }: KernelContext, { keys, scale, mask, factor }: Shape): number => {
  const maskStride = mask[2], factorStride = factor?.[4]
  const tail = keys % 8
  return module.once(
    keyOf(["attention_softmax", keys, scale, maskStride, factorStride, target.relaxed]),
    () =>
      module.func(
        "attention_softmax",
        new Array(7).fill("i32"),
        [],
        (f, scores, maskRow, factorRow, first, clear, end, stats) => {
          const [key, at, maskAt, factorAt, whole] = integers(f, 5)
          const [tops, sums] = [0, 1].map(() => [f.local("v128"), f.local("v128")])
          const [x, n, negative, hidden] = [0, 1, 2, 3].map(() => f.local("v128"))
          const { number, set: setConstants } = hoistedNumbers(f)
          const scoreScale = number(scale * Math.LOG2E)
          /** Keys from where `at` and the others stand: a place, how many, and which of two vectors. */
          const walk = (from: number, to: number, body: (place: number, lanes: number, i: number) => Code): Code => {
            const panel = (count: number) => vectorsOf(count).map(({ at, lanes }, i) => body(at, lanes, i))
            return [
              forRange(
                key,
                get(from),
                get(to),
                8,
                panel(8),
                increase(at, 32),
                from === clear ? increase(maskAt, 32 * maskStride) : [],
                factorStride === undefined ? [] : increase(factorAt, 32 * factorStride),
              ),
              to === whole && tail > 0 ? when(i32.ltU(get(whole), get(end)), panel(tail)) : [],
            ]
          }
          const begin: Code = [
            set(at, i32.add(get(scores), scaled(get(first), 4))),
            set(maskAt, i32.add(get(maskRow), scaled(get(clear), 4 * maskStride))),
            factorStride === undefined
              ? []
              : set(factorAt, i32.add(get(factorRow), scaled(get(first), 4 * factorStride))),
          ]
          const score = (place: number): Code => v128.load(get(at), 4 * place)
          /** Sets x to a value where the key is seen, else to what hidden ones have. */
          const seen = (place: number, lanes: number, value: Code, otherwise: Code): Code => [
            set(
              x,
              v128.bitselect(
                value,
                otherwise,
                f32x4.ne(loadLanes(get(maskAt), maskStride, lanes, place * maskStride), f32x4.const(0)),
              ),
            ),
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
          /** A score less the greatest. */
          const less = (place: number): Code => madd(target, score(place), scoreScale, get(negative))
          const top = (i: number): Code => set(tops[i], f32x4.pmax(get(tops[i]), get(x)))
          const weigh = (place: number, lanes: number, i: number): Code => [
            set(x, powerOfTwo(target, number, x, n)),
            set(sums[i], f32x4.add(get(sums[i]), get(x))),
            v128.store(
              get(at),
              factorStride === undefined
                ? get(x)
                : f32x4.mul(get(x), loadLanes(get(factorAt), factorStride, lanes, place * factorStride)),
              4 * place,
            ),
          ]
          const code: Code = [
            // The last keys are never clear.
            set(whole, lesser(get(end), i32.const(keys - tail))),
            tops.map((top) => set(top, number(-Infinity))),
            begin,
            walk(first, clear, (place, _, i) => [set(x, f32x4.mul(score(place), scoreScale)), top(i)]),
            walk(clear, whole, (place, lanes, i) => [
              seen(place, lanes, f32x4.mul(score(place), scoreScale), number(HIDDEN)),
              top(i),
            ]),
            combined(tops, f32x4.pmax),
            set(negative, f32x4.neg(get(tops[0]))),
            set(hidden, f32x4.add(number(HIDDEN), get(negative))),
            begin,
            // Weights are rounded alike, whether or not a key is near one that is hidden.
            walk(first, clear, (place, lanes, i) => [set(x, less(place)), weigh(place, lanes, i)]),
            walk(clear, whole, (place, lanes, i) => [
              seen(place, lanes, less(place), get(hidden)),
              weigh(place, lanes, i),
            ]),
            combined(sums, f32x4.add),
            v128.store32Lane(0, get(stats), get(tops[0])),
            v128.store32Lane(0, get(stats), get(sums[0]), 32),
          ]
          return [setConstants(), code]
        },
      ),
  )
}
