import { sizeOf } from "../../core/tensor/shape.ts"
import type { Kernel } from "../kernel.ts"
import { type AttentionCall, keysOf, OPERANDS } from "./call.ts"
import { lowerAttention } from "./lower.ts"

/** Attention without the matrix of scores in memory, and the logarithms of its sums. */
export const attention: Kernel<AttentionCall> = {
  name: "attention",
  views: { ...OPERANDS, output: "write", logSum: "write" },
  joins: [],
  // Two products of the scores' size.
  work: (call) => {
    const { q, v } = call
    return { flops: 2 * sizeOf(q.shape.slice(0, 4)) * keysOf(call) * (q.shape[4] + v.shape[3]) }
  },
  shapes: ({ q, k }) => `[${q.shape}] at [${k.shape}]`,
  lower: lowerAttention,
}
