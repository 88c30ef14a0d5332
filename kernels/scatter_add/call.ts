import type { View } from "../contract.ts"

/** out[b] = 0, then out[b, indices[b, i], :] += updates[b, i, :] in the order of i. Indices outside are skipped. */
export interface ScatterAddCall {
  /** Tells the calls apart. */
  readonly kernel: "scatter_add"
  /** i32, shape [batch, count]. */
  readonly indices: View
  /** Shape [batch, count, width]. */
  readonly updates: View
  /** Shape [batch, rows, width], contiguous. */
  readonly output: View
}
