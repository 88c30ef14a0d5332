import { evaluateStep } from "../body_reference.ts"
import type { View } from "../contract.ts"
import type { MatmulCall } from "./call.ts"
import { forEachPlace } from "../view.ts"

/** Evaluates a product in float64; `buffers` are the program's, by number, and the output's is written. */
export const matmulReference = (call: MatmulCall, buffers: readonly Float64Array[]): void => {
  const rank = call.output.shape.length - 2
  const [m, n] = call.output.shape.slice(rank)
  const k = call.a.shape[rank + 1]
  const batch = call.output.shape.slice(0, rank)
  const count = batch.reduce((product, extent) => product * extent, 1)
  const [a, b, output] = [call.a, call.b, call.output].map((view) => buffers[view.buffer])
  for (let entry = 0; entry < count; entry++) {
    const start = (view: View): number => {
      let [rest, at] = [entry, view.offset]
      for (let axis = rank - 1; axis >= 0; axis--) {
        at += (rest % batch[axis]) * view.strides[axis]
        rest = Math.floor(rest / batch[axis])
      }
      return at
    }
    const [a0, b0, output0] = [start(call.a), start(call.b), start(call.output)]
    const [am, ak] = call.a.strides.slice(rank)
    const [bk, bn] = call.b.strides.slice(rank)
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let l = 0; l < k; l++) sum += a[a0 + i * am + l * ak] * b[b0 + l * bk + j * bn]
        output[output0 + i * call.output.strides[rank] + j] = sum
      }
    }
  }
  if (call.epilogue === undefined) return
  const { body, inputs, result, also } = call.epilogue
  const views = [call.output, ...also.map(({ view }) => view), ...inputs]
  forEachPlace(call.output.shape, views, (offsets, index) => {
    const values: Array<number> = []
    const load = (operand: number) =>
      operand === 0 ? output[offsets[0]] : buffers[inputs[operand - 1].buffer][offsets[also.length + operand]]
    for (const step of body) {
      if (step.op === "reduce") throw new Error("An epilogue has no reductions")
      values.push(evaluateStep(step, values, load, index))
    }
    also.forEach(({ step, view }, i) => buffers[view.buffer][offsets[1 + i]] = values[step])
    output[offsets[0]] = values[result]
  })
}
