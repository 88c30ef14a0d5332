import type { Call, View } from "../../kernels/contract.ts"
import { copyCall } from "../../kernels/rows/call.ts"
import { contiguous } from "../../kernels/view.ts"
import { sizeOf } from "../tensor/shape.ts"
import { mapViews, plainReadsOf } from "./accesses.ts"
import type { BufferSpec, Program } from "./program.ts"

/** Puts f32 copies before the calls whose kernels do not read 16-bit storage. */
export function widen(program: Program): Program {
  const { kernels } = program
  const buffers: BufferSpec[] = [...program.buffers]
  const calls: Call[] = []
  for (const call of program.calls) {
    const copies = new Map<View, View>()
    for (const view of plainReadsOf(call, kernels)) {
      const { storage = "f32", dtype } = buffers[view.buffer]
      if (storage === "f32" || copies.has(view)) continue
      const { shape } = view
      const copy = contiguous(buffers.push({ size: sizeOf(shape), dtype, source: { kind: "temporary" } }) - 1, shape)
      calls.push(copyCall(view, copy, dtype))
      copies.set(view, copy)
    }
    calls.push(copies.size === 0 ? call : mapViews(call, (view) => copies.get(view) ?? view, kernels))
  }
  return { ...program, buffers, calls }
}
