/**
 * One row of the scores that the derivative of attention in WebAssembly makes again.
 * @module
 */
import { keyRange } from "../../attention/wasm/key_range.ts"
import { integers, padded } from "../../attention/wasm/parts.ts"
import { powerOfTwo } from "../../attention/wasm/power.ts"
import { keyOf } from "../../collapse.ts"
import { vectorsOf } from "../../matmul/wasm/micro_kernel.ts"
import { scaled } from "../../matmul/wasm/operands.ts"
import { type Code, f32x4, forRange, get, i32, increase, madd, set, v128, when } from "../../wasm/assembler.ts"
import type { KernelContext } from "../../wasm/kernel.ts"
import { loadLanes } from "../../wasm/lanes.ts"
import { hoistedNumbers } from "../../wasm/wide.ts"
import { needsScores, type Shape } from "./shape.ts"

/**
 * Index of the function `(weights, scores, bounds, bias, factor, logSum, delta, first, end, start)`, all i32: a row of raw
 * scores (in `weights`) and of derivatives with respect to the weights (in `scores`) becomes weights, times factor,
 * and derivatives with respect to the raw scores; `bounds` is the address of the query's range of all keys, of which the
 * row begins with key `start`. Outside of first <= key < end both become 0.
 */
export const rowFunction = ({ module, target }: KernelContext, shape: Shape, keys: number): number => {
  const { scale, apart } = shape
  const biasStride = shape.bias?.[4], factorStride = shape.factor?.[4]
  const scored = needsScores(shape)
  const tail = keys % 8
  return module.once(
    keyOf(["attention_gradient_row", keys, apart, biasStride, factorStride, scale, scored, target.relaxed]),
    () =>
      module.func(
        "attention_gradient_row",
        new Array(10).fill("i32"),
        [],
        (f, weights, scores, bounds, bias, factor, logSum, delta, first, end, start) => {
          const [at] = integers(f, 1)
          const [x, n, times, total, share] = [0, 1, 2, 3, 4].map(() => f.local("v128"))
          const { number, set: setConstants } = hoistedNumbers(f)
          const seen = keyRange(f, { first, end, apart, start, whole: keys - tail })
          const timesFactor = (value: Code) => factorStride === undefined ? value : f32x4.mul(value, get(times))
          const vector = (place: number, lanes: number, hides: boolean): Code => [
            set(x, madd(target, v128.load(get(weights), 4 * place), number(scale * Math.LOG2E), get(total))),
            biasStride === undefined ? [] : set(
              x,
              madd(target, loadLanes(get(bias), biasStride, lanes, place * biasStride), number(Math.LOG2E), get(x)),
            ),
            set(x, powerOfTwo(target, number, x, n)),
            hides ? set(x, v128.and(get(x), seen.visible(get(at), place))) : [],
            factorStride === undefined
              ? []
              : set(times, loadLanes(get(factor), factorStride, lanes, place * factorStride)),
            !scored ? [] : v128.store(
              get(scores),
              f32x4.mul(
                get(x),
                madd(target, timesFactor(v128.load(get(scores), 4 * place)), number(scale), get(share)),
              ),
              4 * place,
            ),
            v128.store(get(weights), timesFactor(get(x)), 4 * place),
          ]
          const advance: Code = [increase(weights, 32), increase(scores, 32)]
          const panel = (count: number, hides: boolean): Code => [
            vectorsOf(count).map(({ at, lanes }) => vector(at, lanes, hides)),
            advance,
            biasStride === undefined ? [] : increase(bias, 32 * biasStride),
            factorStride === undefined ? [] : increase(factor, 32 * factorStride),
          ]
          const zeros: Code = [
            [0, 16].map((place) => [
              v128.store(get(weights), number(0), place),
              scored ? v128.store(get(scores), number(0), place) : [],
            ]),
            advance,
          ]
          const code: Code = [
            // Signs turned, for multiplications with additions.
            set(total, f32x4.mul(v128.load32Splat(get(logSum)), number(-Math.LOG2E))),
            set(share, f32x4.mul(v128.load32Splat(get(delta)), number(-scale))),
            seen.begin(bounds),
            biasStride === undefined ? [] : increase(bias, scaled(get(first), 4 * biasStride)),
            factorStride === undefined ? [] : increase(factor, scaled(get(first), 4 * factorStride)),
            forRange(at, i32.const(0), get(first), 8, zeros),
            seen.parts.map(({ from, to, hides }) => forRange(at, from, to, 8, panel(8, hides))),
            tail === 0 ? [] : when(i32.ltU(get(seen.whole), get(end)), panel(tail, true)),
            forRange(at, get(end), i32.const(padded(keys)), 8, zeros),
          ]
          return [setConstants(), code]
        },
      ),
  )
}
