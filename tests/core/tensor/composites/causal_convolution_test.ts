import { assert, assertThrows } from "@std/assert"
import { gradients } from "../../../../core/graph/rewrite/gradients.ts"
import { narrowed } from "../../../../core/graph/rewrite/narrow.ts"
import * as ops from "../../../../core/tensor/ops.ts"
import { ShapeError } from "../../../../core/tensor/shape_error.ts"
import type { Tensor } from "../../../../core/tensor/tensor.ts"
import { evaluateAll } from "../../../support/evaluate.ts"
import { distance } from "../../../support/model_layer.ts"

const [rows, length, channels, kernel] = [2, 9, 3, 4]
const numbers = (count: number, seed: number) =>
  Float64Array.from({ length: count }, (_, i) => Math.sin(1 + i * 1.7 + seed))
const data = {
  x: numbers(rows * length * channels, 1),
  w: numbers(channels * kernel, 2),
  g: numbers(rows * length * channels, 3),
}
const [x, w, g] = [
  ops.input("x", [rows, length, channels], { batch: true }),
  ops.input("w", [channels, kernel]),
  ops.input("g", [rows, length, channels], { batch: true }),
]
/** Sequences of 1, 3 and 5 steps in each row. */
const PLACES = [0, 0, 1, 2, 0, 1, 2, 3, 4]
const places = ops.constant(Int32Array.from(PLACES), [1, length])

/** The sum of the products of weights and steps, written out; and its derivatives by x and by each row's share of the weight. */
function writtenOut(places: ReadonlyArray<number>) {
  const [y, dx, dw] = [rows * length * channels, rows * length * channels, rows * channels * kernel].map((count) =>
    new Float64Array(count)
  )
  for (let b = 0; b < rows; b++) {
    for (let t = 0; t < length; t++) {
      for (let c = 0; c < channels; c++) {
        for (let back = 0; back < kernel && back <= places[t]; back++) {
          const at = (b * length + t) * channels + c, from = at - back * channels, tap = c * kernel + kernel - 1 - back
          y[at] += data.w[tap] * data.x[from]
          dx[from] += data.w[tap] * data.g[at]
          dw[b * channels * kernel + tap] += data.x[from] * data.g[at]
        }
      }
    }
  }
  return [y, dx, dw]
}

Deno.test("a causal convolution is the sum over the steps before, within a sequence; its derivatives too, by example", () => {
  for (const [given, own] of [[undefined, PLACES.map((_, i) => i)], [places, PLACES]] as const) {
    const y = ops.causalConvolution(x, w, given)
    const loss = ops.batchSum(ops.sum(ops.mul(y, g), [1, 2]))
    const found = evaluateAll(
      [y, ...gradients(loss, [x, w]), ...gradients(loss, [w], { perExample: true })],
      { inputs: data, slots: new Map() },
    )
    const [expected, dx, dw] = writtenOut(own)
    const whole = Float64Array.from({ length: channels * kernel }, (_, i) => dw[i] + dw[channels * kernel + i])
    for (const [i, values] of [expected, dx, whole, dw].entries()) {
      assert(distance(found[i], values) < 1e-12, `${i}: off by ${distance(found[i], values)}`)
    }
  }
})

Deno.test("what reads some channels of a causal convolution, or some steps, gets the same", () => {
  const y = ops.causalConvolution(x, w, places)
  const parts = [ops.narrow(y, 2, 1, 2), ops.narrow(y, 1, 4, 6), ops.narrow(y, 0, 1, 2)]
  const values = (of: ReadonlyArray<Tensor>) => evaluateAll(of, { inputs: data, slots: new Map() })
  for (const part of parts) {
    const [expected, found] = [values([part]), values(narrowed([part]))]
    assert(distance(found[0], expected[0]) < 1e-12)
  }
})

Deno.test("a causal convolution says what does not fit", () => {
  const wrong = (weight: Tensor, places?: Tensor) => () => ops.causalConvolution(x, weight, places)
  const message = "causalConvolution takes f32[B, T, C], a weight f32[C, K] and places i32[1 or B, T], got f32[2, 9, 3]"
  assertThrows(wrong(ops.input("w", [2, kernel])), ShapeError, `${message}, f32[2, 4]`)
  assertThrows(wrong(w, ops.full(0, [1, 8], "i32")), ShapeError, `${message}, f32[3, 4], i32[1, 8]`)
  assertThrows(wrong(w, ops.full(0, [1, length])), ShapeError, message)
})
