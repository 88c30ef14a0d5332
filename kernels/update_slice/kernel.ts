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
  /**
   * The first index along `axis`: i32 [1], or [source.shape[0]] for one a row, where `axis` is not 0. Or i32
   * [source.shape[0], 2]: for each row, the destination's row that it goes to, then the first index.
   */
  readonly start: View
}

/** A part of the source with a start of its own. */
export interface Part {
  readonly view: View
  /** Row of the destination, where it is known before. */
  readonly row: number
  /** Element of `start` that names that row. Default: none does. */
  readonly named?: number
  /** Element of `start` with the first index. */
  readonly at: number
}

/** Each row of the source, or all of it as row 0. */
export const partsOf = (source: View, start: View): ReadonlyArray<Part> => {
  const [along = 0, across] = start.strides
  if (across === undefined && sizeOf(start.shape) === 1) return [{ view: source, row: 0, at: start.offset }]
  const shape = [1, ...source.shape.slice(1)]
  return Array.from({ length: start.shape[0] }, (_, row) => {
    const view = { ...source, shape, offset: source.offset + row * source.strides[0] }
    const first = start.offset + row * along
    return across === undefined ? { view, row, at: first } : { view, row: 0, named: first, at: first + across }
  })
}

/** Part of a state replaced in place. A start that would reach beyond the axis is moved back, as a row beyond the last. */
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
      start: viewAs(start, start.shape.length === 2 ? start.shape : [sizeOf(start.shape)]),
    }
  },
  reference: ({ axis, destination, source, start }, buffers) => {
    const { shape, strides } = destination
    const within = (at: number, room: number) => Math.max(0, Math.min(room, buffers[start.buffer][at]))
    partsOf(source, start).forEach(({ view, row, named, at }) => {
      const to = named === undefined ? row : within(named, shape[0] - 1)
      const begin = within(at, shape[axis] - source.shape[axis])
      const offset = destination.offset + to * strides[0] + begin * strides[axis]
      forEachPlace(view.shape, [{ ...destination, offset }, view], ([to, from]) => {
        buffers[destination.buffer][to] = buffers[source.buffer][from]
      })
    })
  },
}
