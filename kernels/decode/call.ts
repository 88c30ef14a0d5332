import type { View } from "../contract.ts"

/** output = input, out of blocks of an encoding into f32. */
export interface DecodeCall {
  /** Tells the calls apart. */
  readonly kernel: "decode"
  /** Whole blocks, shape [elements], contiguous. */
  readonly input: View
  /** The same shape, contiguous. */
  readonly output: View
}
