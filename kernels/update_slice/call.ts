import type { View } from "../contract.ts"

/** destination[..., start : start + n, ...] = source along `axis`, in place. `start` is one i32 on the device. */
export interface UpdateSliceCall {
  /** Tells the calls apart. */
  readonly kernel: "update_slice"
  /** The axis along which the source is placed. */
  readonly axis: number
  /** The state. */
  readonly destination: View
  /** What is written. */
  readonly source: View
  /** The first place, i32 [1]. */
  readonly start: View
}
