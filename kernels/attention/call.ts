import type { View } from "../contract.ts"

/** What both attention kernels are given. Heads come in groups that share keys and values. */
export interface AttentionOperands {
  /** Factor of the scores. */
  readonly scale: number
  /** Queries, shape [batch, shared, group, T, D]; the last stride is 1, as of `k` and `v`. */
  readonly q: View
  /** Keys, shape [batch, shared, S, D]. */
  readonly k: View
  /** Values, shape [batch, shared, S, E]. */
  readonly v: View
  /** f32, shape [batch, T, S]: query t sees key s where it is not 0. Strides of 0 where it repeats. */
  readonly mask: View
  /** Shape [batch, shared, group, T, S]: multiplies the weights after the softmax. */
  readonly factor?: View
}

/**
 * out = (softmax(q k^T scale) * factor) v, without the matrix of scores in memory (Rabe and Staats 2021; Dao et al. 2022).
 * A query that sees no key gives zeros, and 1e30 for the logarithm of its sum, so that its weights are zeros again.
 */
export interface AttentionCall extends AttentionOperands {
  /** Tells the calls apart. */
  readonly kernel: "attention"
  /** Shape [batch, shared, group, T, E]; the last stride is 1. */
  readonly output: View
  /** log sum exp of each query's scores, shape [batch, shared, group, T], contiguous; left out where nobody reads it. */
  readonly logSum?: View
}
