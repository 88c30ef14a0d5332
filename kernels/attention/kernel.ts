import { sizeOf } from "../../core/tensor/shape.ts"
import type { Kernel } from "../kernel.ts"
import { type AttentionCall, OPERANDS } from "./call.ts"
import { lowerAttention } from "./lower.ts"
import { attentionReference } from "./reference.ts"
import { emitAttention as wasm } from "./wasm.ts"
import { emitAttention as wgsl } from "./wgsl.ts"

/** Attention without the matrix of scores in memory, and the logarithms of its sums. */
export const attention: Kernel<AttentionCall> = {
  name: "attention",
  views: { ...OPERANDS, output: "write", logSum: "write" },
  joins: [],
  // Two products of the scores' size.
  work: ({ q, k, v }) => ({ flops: 2 * sizeOf(q.shape.slice(0, 4)) * k.shape[2] * (q.shape[4] + v.shape[3]) }),
  shapes: ({ q, k }) => `[${q.shape}] at [${k.shape}]`,
  lower: lowerAttention,
  reference: attentionReference,
  wasm,
  wgsl,
}
