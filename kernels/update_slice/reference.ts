/**
 * Float64 reference of `update_slice`.
 * @module
 */
import type { ReferenceBuffers } from "../body_reference.ts"
import type { UpdateSliceCall } from "./call.ts"
import { forEachPlace } from "../view.ts"

/** Carries out an `update_slice` call on float64 buffers. A start that would reach beyond the axis is moved back. */
export const updateSliceReference = (
  { axis, destination, source, start }: UpdateSliceCall,
  buffers: ReferenceBuffers,
): void => {
  const room = destination.shape[axis] - source.shape[axis]
  const begin = Math.max(0, Math.min(room, buffers[start.buffer][start.offset]))
  const window = { ...destination, offset: destination.offset + begin * destination.strides[axis] }
  forEachPlace(source.shape, [window, source], ([to, from]) => {
    buffers[destination.buffer][to] = buffers[source.buffer][from]
  })
}
