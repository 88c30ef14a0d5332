/**
 * Float64 reference of `gather`.
 * @module
 */
import type { ReferenceBuffers } from "../body_reference.ts"
import type { GatherCall } from "./call.ts"

/** Carries out a `gather` call on float64 buffers. */
export const gatherReference = ({ table, indices, output }: GatherCall, buffers: ReferenceBuffers): void => {
  const [rows] = table.shape
  const [count, width] = output.shape
  for (let i = 0; i < count; i++) {
    const row = buffers[indices.buffer][indices.offset + i * indices.strides[0]]
    for (let column = 0; column < width; column++) {
      buffers[output.buffer][output.offset + i * output.strides[0] + column * output.strides[1]] =
        row >= 0 && row < rows
          ? buffers[table.buffer][table.offset + row * table.strides[0] + column * table.strides[1]]
          : 0
    }
  }
}
