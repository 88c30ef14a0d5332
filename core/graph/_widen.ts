import type { Call, View } from "../../kernels/contract.ts"
import { sizeOf, stridesOf } from "../tensor/shape.ts"
import { mapViews, readsOf } from "./accesses.ts"
import type { BufferSpec, Program } from "./program.ts"

/** Whether a kernel decodes this operand as it reads it. */
const decodes = (call: Call, view: View): boolean =>
  call.kernel === "rows" || call.kernel === "columns" || call.kernel === "matmul" ||
  call.kernel === "gather" && view === call.table

/** Puts f32 copies before the calls whose kernels do not read 16-bit storage. */
export function widen(program: Program): Program {
  const buffers: BufferSpec[] = [...program.buffers]
  const calls: Call[] = []
  for (const call of program.calls) {
    const copies = new Map<View, View>()
    for (const view of readsOf(call)) {
      const { storage = "f32", dtype } = buffers[view.buffer]
      if (storage === "f32" || decodes(call, view) || copies.has(view)) continue
      const { shape } = view
      const buffer = buffers.push({ size: sizeOf(shape), dtype, source: { kind: "temporary" } }) - 1
      const copy: View = { buffer, offset: 0, shape, strides: stridesOf(shape) }
      calls.push({
        kernel: "rows",
        space: shape,
        body: [{ op: "load", operand: 0, dtype }],
        inputs: [view],
        outputs: [{ step: 0, view: copy }],
      })
      copies.set(view, copy)
    }
    calls.push(copies.size === 0 ? call : mapViews(call, (view) => copies.get(view) ?? view))
  }
  return { ...program, buffers, calls }
}
