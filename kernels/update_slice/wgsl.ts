/**
 * WGSL of `update_slice`: a copy, one element an invocation, to a place that is known only when it runs.
 * @module
 */
import { sizeOf } from "../../core/tensor/shape.ts"
import { collapse } from "../collapse.ts"
import type { UpdateSliceCall } from "./kernel.ts"
import type { KernelEmitter } from "../wgsl/kernel.ts"
import { address, coordinates, perPlace, sum } from "../wgsl/places.ts"

/** Writes an `update_slice` call. A start that would reach beyond the axis is moved back. */
export const emitUpdateSlice: KernelEmitter<UpdateSliceCall> = ({ axis, destination, source, start }, context) => {
  const count = sizeOf(source.shape)
  if (count === 0) return []
  const each = sizeOf(start.shape) > 1
  const { space, strides: [from, to] } = collapse(
    source.shape,
    [source.strides, destination.strides],
    new Set(each ? [0] : []),
  )
  const names = space.map((_, i) => `i${i}`)
  const shader = context.shader()
  const begin = shader.read(start.buffer, "i32"), input = shader.read(source.buffer)
  const state = shader.write(destination.buffer)
  const room = destination.shape[axis] - source.shape[axis]
  const target = sum(address(destination.offset, names, to), `begin * ${destination.strides[axis] >>> 0}u`)
  const wanted = begin.load(address(start.offset, each ? names.slice(0, 1) : [], start.strides))
  const body = [
    ...coordinates("place", space, names),
    `let begin = u32(clamp(${wanted}, 0, ${room}));`,
    state.store(target, input.load(address(source.offset, names, from))),
  ]
  return [perPlace(shader, context.device, `update_slice [${source.shape}]`, count, body)]
}
