import type { Call, View } from "../../kernels/contract.ts"
import { sameShape } from "../tensor/shape.ts"
import { mapViews, readsOf, writesOf } from "./accesses.ts"
import type { Program } from "./program.ts"

/** Whether two views step over the same elements of their buffers. */
export const aligned = (a: View, b: View): boolean =>
  a.offset === b.offset && sameShape(a.shape, b.shape) && sameShape(a.strides, b.strides)

/**
 * Lets results take the places of what they are made from, element by element, where that is read for the last time:
 * the largest values of a step (scores, logits and their derivatives) then need memory once.
 */
export function inPlace(program: Program): Program {
  const { buffers, calls } = program
  const first = new Map<number, number>()
  const last = new Map<number, number>()
  calls.forEach((call, number) => {
    for (const { buffer } of writesOf(call)) if (!first.has(buffer)) first.set(buffer, number)
    for (const { buffer } of [...readsOf(call), ...writesOf(call)]) last.set(buffer, number)
  })
  for (const { view } of program.outputs) last.set(view.buffer, calls.length)
  const temporary = (buffer: number) => buffers[buffer].source.kind === "temporary"
  const alike = (a: number, b: number) => buffers[a].size === buffers[b].size && buffers[a].dtype === buffers[b].dtype
  const places = new Map<number, number>()
  const rename = (view: View): View => ({ ...view, buffer: places.get(view.buffer) ?? view.buffer })
  const renamed = calls.map((call, number): Call => {
    if (call.kernel === "rows") {
      const taken = new Set<number>()
      for (const { view } of call.outputs) {
        if (!temporary(view.buffer) || first.get(view.buffer) !== number) continue
        const free = call.inputs.find(({ buffer }) =>
          temporary(buffer) && alike(buffer, view.buffer) && last.get(buffer) === number && !taken.has(buffer) &&
          call.inputs.every((input) => input.buffer !== buffer || aligned(input, view)) &&
          call.outputs.every((output) => output.view.buffer !== buffer)
        )
        if (free === undefined) continue
        taken.add(free.buffer)
        places.set(view.buffer, places.get(free.buffer) ?? free.buffer)
      }
    }
    return mapViews(call, rename)
  })
  const outputs = program.outputs.map((output) => ({ ...output, view: rename(output.view) }))
  return { ...program, calls: renamed, outputs }
}
