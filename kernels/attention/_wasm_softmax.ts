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
import { integers, minimum } from "./_wasm_parts.ts"
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
          const [key, at, beside, whole] = integers(f, 4)
          const [tops, sums] = [0, 1].map(() => [f.local("v128"), f.local("v128")])
          const [x, n, negative] = [f.local("v128"), f.local("v128"), f.local("v128")]
          const { number, set: setConstants } = hoistedNumbers(f)
          const scoreScale = number(scale * Math.LOG2E)
          /** From where `at` and `beside` stand. */
          const walk = (
            from: number,
            to: number,
            stride: number,
            body: (place: number, lanes: number, i: number) => Code,
          ) => {
            const panel = (count: number) => vectorsOf(count).map(({ at, lanes }, i) => body(at, lanes, i))
            return [
              forRange(key, get(from), get(to), 8, panel(8), increase(at, 32), increase(beside, 32 * stride)),
              to === whole && tail > 0 ? when(i32.ltU(get(whole), get(end)), panel(tail)) : [],
            ]
          }
          const begin = (row: number, from: number, stride: number): Code => [
            set(at, i32.add(get(scores), scaled(get(first), 4))),
            set(beside, i32.add(get(row), scaled(get(from), 4 * stride))),
          ]
          const combined = ([a, b]: number[], combine: (a: Code, b: Code) => Code): Code => [
            set(a, combine(get(a), get(b))),
            set(a, combine(get(a), v128.shuffle32(get(a), get(a), [2, 3, 0, 1]))),
            set(a, combine(get(a), v128.shuffle32(get(a), get(a), [1, 0, 3, 2]))),
          ]
          const top = (i: number): Code => set(tops[i], f32x4.pmax(get(tops[i]), get(x)))
          const weigh = (place: number, lanes: number, i: number): Code => [
            set(x, powerOfTwo(target, number, x, n)),
            set(sums[i], f32x4.add(get(sums[i]), get(x))),
            v128.store(
              get(at),
              factorStride === undefined
                ? get(x)
                : f32x4.mul(get(x), loadLanes(get(beside), factorStride, lanes, place * factorStride)),
              4 * place,
            ),
          ]
          const code: Code = [
            // The last keys are never clear.
            set(whole, minimum(get(end), i32.const(keys - tail))),
            tops.map((top) => set(top, number(-Infinity))),
            begin(maskRow, clear, maskStride),
            walk(first, clear, 0, (place, _, i) => [
              set(x, f32x4.mul(v128.load(get(at), 4 * place), scoreScale)),
              top(i),
            ]),
            walk(clear, whole, maskStride, (place, lanes, i) => [
              set(
                x,
                v128.bitselect(
                  f32x4.mul(v128.load(get(at), 4 * place), scoreScale),
                  number(HIDDEN),
                  f32x4.ne(loadLanes(get(beside), maskStride, lanes, place * maskStride), f32x4.const(0)),
                ),
              ),
              // Beyond the last key there is no weight at all.
              lanes === 4 ? [] : set(
                x,
                v128.bitselect(get(x), number(-Infinity), v128.const(-1, lanes > 1 ? -1 : 0, lanes > 2 ? -1 : 0, 0)),
              ),
              v128.store(get(at), get(x), 4 * place),
              top(i),
            ]),
            combined(tops, f32x4.pmax),
            set(negative, f32x4.neg(get(tops[0]))),
            begin(factorRow, first, factorStride ?? 0),
            walk(first, clear, factorStride ?? 0, (place, lanes, i) => [
              set(x, madd(target, v128.load(get(at), 4 * place), scoreScale, get(negative))),
              weigh(place, lanes, i),
            ]),
            walk(clear, whole, factorStride ?? 0, (place, lanes, i) => [
              set(x, f32x4.add(v128.load(get(at), 4 * place), get(negative))),
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
