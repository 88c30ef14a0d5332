import { sizeOf } from "../../core/tensor/shape.ts"
import type { View } from "../contract.ts"
import type { Kernel } from "../kernel.ts"
import { contiguous, forEachPlace } from "../view.ts"

/** destination[..., start : start + n, ...] = source along `axis`, in place. `start` is known on the device alone. */
export interface UpdateSliceCall {
  readonly kernel: "update_slice"
  /** The axis along which the source is placed. */
  readonly axis: number
  /** The state. */
  readonly destination: View
  /** What is written: no axis is longer than the destination's. */
  readonly source: View
  /** The first index along `axis`: i32 [1], or [source.shape[0]] for one a row, where `axis` is not 0. */
  readonly start: View
}

/** Parts of the source that have a start of their own: each row, or all of it as row 0. */
export const rowsOf = (source: View, start: View): ReadonlyArray<{ readonly row: number; readonly part: View }> => {
  if (sizeOf(start.shape) === 1) return [{ row: 0, part: source }]
  const shape = [1, ...source.shape.slice(1)]
  return Array.from({ length: start.shape[0] }, (_, row) => ({
    row,
    part: { ...source, shape, offset: source.offset + row * source.strides[0] },
  }))
}

/** Part of a state replaced in place. A start that would reach beyond the axis is moved back. */
export const updateSlice: Kernel<UpdateSliceCall> = {
  name: "update_slice",
  views: { destination: "read write", source: "read", start: "read" },
  work: ({ destination, source, start }) => ({
    flops: 0,
    touches: [source, start, { ...destination, shape: source.shape }],
  }),
  shapes: ({ source, destination }) => `[${source.shape}] into [${destination.shape}]`,
  detail: ({ axis }) => ` along ${axis}`,
  lower: ([node], { buffer, copy, viewAs }) => {
    const [state, source, start] = node.inputs
    const destination = contiguous(buffer(node), node.shape)
    copy(state, destination)
    return {
      kernel: "update_slice",
      axis: node.attributes.axis as number,
      destination,
      source: viewAs(source, source.shape),
      start: viewAs(start, [sizeOf(start.shape)]),
    }
  },
  reference: ({ axis, destination, source, start }, buffers) => {
    const room = destination.shape[axis] - source.shape[axis]
    rowsOf(source, start).forEach(({ row, part }) => {
      const begin = Math.max(0, Math.min(room, buffers[start.buffer][start.offset + row * (start.strides[0] ?? 0)]))
      const offset = destination.offset + row * destination.strides[0] + begin * destination.strides[axis]
      forEachPlace(part.shape, [{ ...destination, offset }, part], ([to, from]) => {
        buffers[destination.buffer][to] = buffers[source.buffer][from]
      })
    })
  },
}
