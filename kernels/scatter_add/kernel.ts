import { sizeOf } from "../../core/tensor/shape.ts"
import type { Kernel } from "../kernel.ts"
import { contiguous } from "../view.ts"
import type { ScatterAddCall } from "./call.ts"
import { scatterAddReference } from "./reference.ts"
import { emitScatterAdd as wasm } from "./wasm.ts"
import { emitScatterAdd as wgsl } from "./wgsl.ts"

/** Rows added into tables of zeros by index. */
export const scatterAdd: Kernel<ScatterAddCall> = {
  name: "scatter_add",
  views: { indices: "read", updates: "read", output: "write" },
  work: ({ updates }) => ({ flops: sizeOf(updates.shape) }),
  shapes: ({ updates, output }) => `[${updates.shape}] into [${output.shape}]`,
  lower: ([node], { buffer, viewAs }) => {
    const { inputs: [indices, updates], attributes, shape } = node
    const batch = attributes.perExample ? shape[0] : 1
    const count = sizeOf(indices.shape) / batch
    const output = contiguous(buffer(node), [batch, ...shape.slice(-2)])
    return {
      kernel: "scatter_add",
      indices: viewAs(indices, [batch, count], true),
      updates: viewAs(updates, [batch, count, shape.at(-1)!]),
      output,
    }
  },
  reference: scatterAddReference,
  wasm,
  wgsl,
}
