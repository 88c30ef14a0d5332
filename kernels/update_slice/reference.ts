/**
 * Float64 reference of `update_slice`.
 * @module
 */
import type { ReferenceBuffers } from "../body_reference.ts"
import type { UpdateSliceCall } from "./call.ts"
import { forEachPlace } from "../view.ts"
import { rowsOf } from "./rows_of.ts"

/** Carries out an `update_slice` call on float64 buffers. A start that would reach beyond the axis is moved back. */
export const updateSliceReference = (
  { axis, destination, source, start }: UpdateSliceCall,
  buffers: ReferenceBuffers,
): void => {
  const room = destination.shape[axis] - source.shape[axis]
  rowsOf(source, start).forEach(({ row, part }) => {
    const begin = Math.max(0, Math.min(room, buffers[start.buffer][start.offset + row * (start.strides[0] ?? 0)]))
    const offset = destination.offset + row * destination.strides[0] + begin * destination.strides[axis]
    forEachPlace(part.shape, [{ ...destination, offset }, part], ([to, from]) => {
      buffers[destination.buffer][to] = buffers[source.buffer][from]
    })
  })
}
