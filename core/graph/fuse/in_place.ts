import { kernelOf } from "../../../kernels/builtin.ts"
import type { View } from "../../../kernels/contract.ts"
import { sameShape } from "../../tensor/shape.ts"
import { readsOf, writesOf } from "./accesses.ts"
import type { Program } from "../program.ts"

/** Whether two views step over the same elements of their buffers. */
export const aligned = (a: View, b: View): boolean =>
  a.offset === b.offset && sameShape(a.shape, b.shape) &&
  a.shape.every((extent, axis) => extent === 1 || a.strides[axis] === b.strides[axis])

/**
 * Reuses an input's buffer for an elementwise output if that is the last read of the input: the largest values of a step
 * (scores, logits and their derivatives) then need memory once.
 *
 * @param now The buffer that holds each buffer's values.
 * @returns The same after the reuse.
 */
export function inPlace({ buffers, calls, outputs, kernels }: Program, now: Int32Array): Int32Array {
  const first = new Int32Array(buffers.length).fill(-1)
  const last = new Int32Array(buffers.length)
  calls.forEach((call, number) => {
    for (const { buffer } of writesOf(call, kernels)) {
      const place = now[buffer]
      if (first[place] < 0) first[place] = number
      last[place] = number
    }
    for (const { buffer } of readsOf(call, kernels)) last[now[buffer]] = number
  })
  for (const { view } of outputs) last[now[view.buffer]] = calls.length
  const temporary = (buffer: number) => buffers[buffer].source.kind === "temporary"
  const alike = (a: number, b: number) => buffers[a].size === buffers[b].size && buffers[a].dtype === buffers[b].dtype
  const places = Int32Array.from(buffers.keys())
  calls.forEach((call, number) => {
    if (!kernelOf(call, kernels).inPlace) return
    const reads = readsOf(call, kernels), writes = writesOf(call, kernels)
    const taken = new Set<number>()
    for (const view of writes) {
      const place = now[view.buffer]
      if (!temporary(place) || first[place] !== number) continue
      const free = reads.find((input) => {
        const buffer = now[input.buffer]
        return last[buffer] === number && temporary(buffer) && alike(buffer, place) && !taken.has(buffer) &&
          reads.every((input) => now[input.buffer] !== buffer || aligned(input, view)) &&
          writes.every((output) => now[output.buffer] !== buffer)
      })
      if (free === undefined) continue
      const buffer = now[free.buffer]
      taken.add(buffer)
      places[place] = places[buffer]
    }
  })
  return now.map((place) => places[place])
}
