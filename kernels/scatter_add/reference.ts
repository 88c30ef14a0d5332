/**
 * Float64 reference of `scatter_add`.
 * @module
 */
import type { ReferenceBuffers } from "../body_reference.ts"
import type { ScatterAddCall } from "./call.ts"
import { sizeOf } from "../../core/tensor/shape.ts"

/** Carries out a `scatter_add` call on float64 buffers. */
export const scatterAddReference = ({ indices, updates, output }: ScatterAddCall, buffers: ReferenceBuffers): void => {
  const [batch, rows, width] = output.shape
  const target = buffers[output.buffer]
  target.fill(0, output.offset, output.offset + sizeOf(output.shape))
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < indices.shape[1]; i++) {
      const row = buffers[indices.buffer][indices.offset + b * indices.strides[0] + i * indices.strides[1]]
      if (row < 0 || row >= rows) continue
      for (let column = 0; column < width; column++) {
        target[output.offset + (b * rows + row) * width + column] += buffers[updates.buffer][
          updates.offset + b * updates.strides[0] + i * updates.strides[1] + column * updates.strides[2]
        ]
      }
    }
  }
}
