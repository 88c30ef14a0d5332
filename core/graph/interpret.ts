/**
 * Runs a program in float64 by the kernels' references: the yardstick of every backend.
 * @module
 */
import { runReference } from "../../kernels/references.ts"
import { forEachPlace } from "../../kernels/view.ts"
import type { Program } from "./program.ts"

/**
 * Evaluates a program once.
 *
 * @param slots Contents of the slots by number; those that the program writes change in place. One that is missing
 * starts as zeros and is added.
 * @param inputs Every input by name.
 * @returns The outputs by name.
 */
export const interpret = (
  program: Program,
  slots: Map<number, Float64Array>,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> => {
  const buffers = program.buffers.map(({ size, source }) => {
    if (source.kind === "input") return Float64Array.from(inputs[source.name])
    if (source.kind === "constant") return Float64Array.from(source.data)
    if (source.kind === "temporary") return new Float64Array(size)
    const slot = slots.get(source.slot) ?? new Float64Array(size)
    slots.set(source.slot, slot)
    return slot
  })
  for (const call of program.calls) runReference(call, program.kernels, buffers)
  const results: Record<string, Float64Array> = {}
  for (const { name, view } of program.outputs) {
    const values: Array<number> = []
    forEachPlace(view.shape, [view], ([offset]) => values.push(buffers[view.buffer][offset]))
    results[name] = Float64Array.from(values)
  }
  return results
}
