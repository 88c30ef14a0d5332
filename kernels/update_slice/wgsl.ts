/**
 * WGSL of `update_slice`: a copy, one element an invocation, to a place that is known only when it runs.
 * @module
 */
import { sizeOf } from "../../core/tensor/shape.ts"
import { collapse } from "../collapse.ts"
import type { UpdateSliceCall } from "./kernel.ts"
import type { KernelEmitter } from "../wgsl/kernel.ts"
import { address, coordinates, perPlace, sum, times } from "../wgsl/places.ts"

/** Writes an `update_slice` call. */
export const emitUpdateSlice: KernelEmitter<UpdateSliceCall> = ({ axis, destination, source, start }, context) => {
  const count = sizeOf(source.shape)
  if (count === 0) return []
  const named = start.shape.length === 2, each = named || sizeOf(start.shape) > 1
  const { space, strides: [from, to] } = collapse(
    source.shape,
    [source.strides, destination.strides],
    new Set(each ? [0] : []),
  )
  const names = space.map((_, i) => `i${i}`)
  const shader = context.shader()
  const begin = shader.read(start.buffer, "i32"), input = shader.read(source.buffer)
  const state = shader.write(destination.buffer)
  const { offset, shape, strides } = destination
  const room = shape[axis] - source.shape[axis]
  const wanted = (column: number) => begin.load(address(start.offset + column, each ? ["i0"] : [], start.strides))
  const target = sum(
    address(offset, names, named ? [0, ...to.slice(1)] : to),
    times("begin", strides[axis]),
    named ? times("row", strides[0]) : "",
  )
  const body = [
    ...coordinates("place", space, names),
    `let begin = u32(clamp(${wanted(named ? start.strides[1] : 0)}, 0, ${room}));`,
    ...named ? [`let row = u32(clamp(${wanted(0)}, 0, ${shape[0] - 1}));`] : [],
    state.store(target, input.load(address(source.offset, names, from))),
  ]
  return [perPlace(shader, context.device, `update_slice [${source.shape}]`, count, body)]
}
