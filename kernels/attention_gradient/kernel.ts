import { sizeOf } from "../../core/tensor/shape.ts"
import { OPERANDS } from "../attention/call.ts"
import { lowerAttentionGradient } from "../attention/lower.ts"
import type { Kernel } from "../kernel.ts"
import type { AttentionGradientCall } from "./call.ts"

/** Derivatives of attention by queries, keys and values. */
export const attentionGradient: Kernel<AttentionGradientCall> = {
  name: "attention_gradient",
  views: {
    ...OPERANDS,
    logSum: "read",
    cotangent: "read",
    delta: "read",
    dq: "write",
    dk: "write",
    dv: "write",
  },
  joins: ["of"],
  // Products of the scores' size: the scores again, and one for each derivative and their weights.
  work: ({ q, k, v, dq, dk, dv }) => {
    const [d, e] = [q.shape[4], v.shape[3]]
    const terms = d + e + (dq ? d : 0) + (dk ? d : 0) + (dv ? e : 0)
    return { flops: 2 * sizeOf(q.shape.slice(0, 4)) * k.shape[2] * terms }
  },
  shapes: ({ q, k }) => `[${q.shape}] at [${k.shape}]`,
  lower: lowerAttentionGradient,
}
