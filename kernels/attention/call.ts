import type { View } from "../contract.ts"

/**
 * Which keys a query sees. The first `prefix` keys are visible to every query; the rest are numbered from 0. The query at
 * position p sees key j where all that is given holds: j <= p (`causal`), |p - j| < `window`, j < `keyLengths`,
 * `segments[j] = segments[p]`.
 */
export interface Visibility {
  /** Number of keys before the sequence, which all queries see. */
  readonly prefix: number
  /** Whether a query sees no key after its own position. */
  readonly causal: boolean
  /** Distance from which on keys are hidden. Default: none. */
  readonly window?: number
  /** Position of each query: i32 [batch, T]. Default: t. */
  readonly queryPositions?: View
  /** Number of keys of each entry: i32 [batch]. */
  readonly keyLengths?: View
  /** Segment of each key, never decreasing along a row: i32 [batch, S - prefix]. A position outside takes the nearest. */
  readonly segments?: View
}

/** What both attention kernels are given. Heads come in groups that share keys and values. */
export interface AttentionOperands extends Visibility {
  /** Factor of the scores. */
  readonly scale: number
  /** Queries, shape [batch, shared, group, T, D]; the last stride is 1, as of `k` and `v`. */
  readonly q: View
  /** Keys, shape [batch, shared, S, D], or [pages, shared, P, D] where there are pages of P keys, a multiple of 8. */
  readonly k: View
  /** Values, shape [batch, shared, S, E] or [pages, shared, P, E]. */
  readonly v: View
  /** The page that holds keys j P to (j + 1) P of an entry: i32 [batch, S / P]. Not for derivatives. */
  readonly pages?: View
  /** Shape [batch, shared, group, T, S], strides of 0 where it repeats: added to the scores. */
  readonly bias?: View
  /**
   * Shape [batch, shared, group, T, P], P at most S: multiplies the weights after the softmax. Key j takes column j % P.
   * Where P < S, the last stride is 1.
   */
  readonly factor?: View
}

/** Operands of which only the shapes are known. */
type Shaped<Name extends "factor" | "k" | "pages"> = {
  readonly [key in keyof Pick<AttentionOperands, Name>]: Pick<View, "shape">
}

/** Number of keys of each entry. */
export const keysOf = ({ k, pages }: Shaped<"k" | "pages">): number =>
  pages === undefined ? k.shape[2] : pages.shape[1] * k.shape[2]

/** Columns of a factor that repeats along the keys; 0 where it has one for each key, or there is none. */
export const periodOf = (call: Shaped<"factor" | "k" | "pages">): number => {
  const period = call.factor?.shape[4] ?? 0
  return period === keysOf(call) ? 0 : period
}

/** Uses of {@link AttentionOperands}. */
export const OPERANDS = {
  q: "read",
  k: "read",
  v: "read",
  pages: "read",
  queryPositions: "read",
  keyLengths: "read",
  segments: "read",
  bias: "read",
  factor: "read",
} as const

/**
 * out = (softmax(q k^T scale + bias) * factor) v, without the matrix of scores in memory (Rabe and Staats 2021; Dao et al. 2022).
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
