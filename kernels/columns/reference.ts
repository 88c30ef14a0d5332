import { evaluateStep, type ReferenceBuffers } from "../body_reference.ts"
import type { Instruction, View } from "../contract.ts"
import { forEachPlace } from "../view.ts"
import type { ColumnsCall } from "./call.ts"

/** Carries out a `columns` call on float64 buffers. */
export const columnsReference = (call: ColumnsCall, buffers: ReferenceBuffers): void => {
  const { space, outerAxes, output } = call
  const last = space.length - 1
  /** The output seen from the whole space. */
  const target: View = {
    ...output,
    shape: space,
    strides: space.map((_, axis) =>
      axis < outerAxes ? output.strides[axis] : axis === last ? output.strides[outerAxes] : 0
    ),
  }
  forEachPlace(output.shape, [output], ([offset]) => {
    buffers[output.buffer][offset] = call.kind === "sum" ? 0 : -Infinity
  })
  forEachPlace(space, [...call.inputs, target], (offsets, index) => {
    const values: Array<number> = []
    for (const step of call.body) {
      values.push(
        evaluateStep(
          step as Exclude<Instruction, { op: "reduce" }>,
          values,
          (v) => buffers[call.inputs[v].buffer][offsets[v]],
          index,
        ),
      )
    }
    const at = offsets[call.inputs.length], data = buffers[output.buffer], value = values[call.result]
    data[at] = call.kind === "sum" ? data[at] + value : Math.max(data[at], value)
  })
}
