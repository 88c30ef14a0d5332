import type { View } from "../contract.ts"

/** destination[..., start : start + n, ...] = source along `axis`, in place. `start` is known on the device alone. */
export interface UpdateSliceCall {
  /** Tells the calls apart. */
  readonly kernel: "update_slice"
  /** The axis along which the source is placed. */
  readonly axis: number
  /** The state. */
  readonly destination: View
  /** What is written: no axis is longer than the destination's. */
  readonly source: View
  /** The first index along `axis`: i32 [1], or [source.shape[0]] for one a row, where `axis` is not 0. */
  readonly start: View
}
