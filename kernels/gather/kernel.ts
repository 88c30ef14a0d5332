import { sizeOf } from "../../core/tensor/shape.ts"
import type { Kernel } from "../kernel.ts"
import { contiguous } from "../view.ts"
import type { GatherCall } from "./call.ts"
import { gatherReference } from "./reference.ts"
import { emitGather as wasm } from "./wasm.ts"
import { emitGather as wgsl } from "./wgsl.ts"

/** Rows of a table by index. */
export const gather: Kernel<GatherCall> = {
  name: "gather",
  views: { table: "read encoded", indices: "read", output: "write" },
  // Of the table, only the rows that are asked for.
  work: ({ table, indices, output }) => ({
    flops: 0,
    touches: [{ ...table, shape: output.shape, strides: output.strides }, indices, output],
  }),
  shapes: ({ table, indices }) => `[${table.shape}] at [${indices.shape}]`,
  lower: ([node], { buffer, viewAs }) => {
    const [table, indices] = node.inputs
    const count = sizeOf(indices.shape)
    const output = contiguous(buffer(node), [count, node.shape.at(-1)!])
    return {
      kernel: "gather",
      table: viewAs(table, table.shape, true),
      indices: viewAs(indices, [count], true),
      output,
    }
  },
  reference: gatherReference,
  wasm,
  wgsl,
}
