import type { AttentionOperands } from "../attention/call.ts"
import type { View } from "../contract.ts"

/**
 * Derivatives of `attention`. With the weights p = exp(q k^T scale + bias - logSum) and
 * ds = p * ((cotangent v^T) * factor - delta) where visible, else 0:
 * dq = scale ds k, dk = scale ds^T q, dv = (p * factor)^T cotangent; dk and dv are sums over the group.
 * At least one is asked for; their last strides are 1.
 */
export interface AttentionGradientCall extends AttentionOperands {
  /** Tells the calls apart. */
  readonly kernel: "attention_gradient"
  /** Shape [batch, shared, group, T], contiguous, as `attention` gives it. */
  readonly logSum: View
  /** Of the output, shape [batch, shared, group, T, E]; the last stride is 1. */
  readonly cotangent: View
  /** Sum over E of cotangent * output, shape [batch, shared, group, T], contiguous. */
  readonly delta: View
  /** Shape [batch, shared, group, T, D]. */
  readonly dq?: View
  /** Shape [batch, shared, S, D]. */
  readonly dk?: View
  /** Shape [batch, shared, S, E]. */
  readonly dv?: View
}
