import type { View } from "../contract.ts"

/** out[i, :] = table[indices[i], :]. */
export interface GatherCall {
  /** Tells the calls apart. */
  readonly kernel: "gather"
  /** Shape [rows, width]. */
  readonly table: View
  /** i32, shape [count]. */
  readonly indices: View
  /** Shape [count, width]. */
  readonly output: View
}
