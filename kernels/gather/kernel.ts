import { sizeOf } from "../../core/tensor/shape.ts"
import type { View } from "../contract.ts"
import type { Kernel } from "../kernel.ts"
import { contiguous, forEachPlace } from "../view.ts"

/** out[i, :] = table[indices[i], :]. */
export interface GatherCall {
  readonly kernel: "gather"
  /** Shape [rows, width]. */
  readonly table: View
  /** i32, shape [count]. */
  readonly indices: View
  /** Shape [count, width]. */
  readonly output: View
}

/** Rows of a table by index. An index outside the table gives a row of zeros. */
export const gather: Kernel<GatherCall> = {
  name: "gather",
  views: { table: "read blocks", indices: "read", output: "write" },
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
  reference: ({ table, indices, output }, buffers) => {
    const index = { ...indices, strides: [indices.strides[0], 0] }
    const firstRow = { ...table, strides: [0, table.strides[1]] }
    forEachPlace(output.shape, [index, firstRow, output], ([at, from, to]) => {
      const row = buffers[indices.buffer][at]
      const inside = row >= 0 && row < table.shape[0]
      buffers[output.buffer][to] = inside ? buffers[table.buffer][from + row * table.strides[0]] : 0
    })
  },
}
