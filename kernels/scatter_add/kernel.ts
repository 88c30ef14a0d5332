import { sizeOf } from "../../core/tensor/shape.ts"
import type { View } from "../contract.ts"
import type { Kernel } from "../kernel.ts"
import { contiguous, forEachPlace } from "../view.ts"

/** out[b] = 0, then out[b, indices[b, i], :] += updates[b, i, :] in the order of i. Indices outside are skipped. */
export interface ScatterAddCall {
  readonly kernel: "scatter_add"
  /** i32, shape [batch, count]. */
  readonly indices: View
  /** Shape [batch, count, width]. */
  readonly updates: View
  /** Shape [batch, rows, width], contiguous. */
  readonly output: View
}

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
  reference: ({ indices, updates, output }, buffers) => {
    const target = buffers[output.buffer]
    target.fill(0, output.offset, output.offset + sizeOf(output.shape))
    const index = { ...indices, strides: [...indices.strides, 0] }
    const firstRow = { ...output, strides: [output.strides[0], 0, output.strides[2]] }
    forEachPlace(updates.shape, [index, updates, firstRow], ([at, from, to]) => {
      const row = buffers[indices.buffer][at]
      if (row < 0 || row >= output.shape[1]) return
      target[to + row * output.strides[1]] += buffers[updates.buffer][from]
    })
  },
}
