/**
 * WGSL of `update_slice`: a copy, one element an invocation, to a place that is known only when it runs.
 * @module
 */
import { sizeOf } from "../../core/tensor/shape.ts"
import { collapse } from "../collapse.ts"
import type { UpdateSliceCall } from "./kernel.ts"
import { type KernelEmitter, lineOfWorkgroups } from "../wgsl/kernel.ts"
import { address, coordinates, GROUP, PARAMETERS, sum } from "../wgsl/places.ts"

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
  const { workgroups, number } = lineOfWorkgroups(Math.ceil(count / GROUP), context.device)
  const room = destination.shape[axis] - source.shape[axis]
  const target = sum(address(destination.offset, names, to), `begin * ${destination.strides[axis] >>> 0}u`)
  const code = `@compute @workgroup_size(${GROUP})
fn main(${PARAMETERS}) {
  let place = ${number} * ${GROUP}u + thread;
  if (place >= ${count}u) { return; }
  ${coordinates("place", space, names).join("\n  ")}
  let begin = u32(clamp(${
    begin.load(address(start.offset, each ? names.slice(0, 1) : [], start.strides))
  }, 0, ${room}));
  ${state.store(target, input.load(address(source.offset, names, from)))}
}
`
  return [shader.finish({ label: `update_slice [${source.shape}]`, code, workgroups })]
}
