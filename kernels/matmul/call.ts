import type { Epilogue, View } from "../contract.ts"

/** out[..., m, n] = sum over k of a[..., m, k] * b[..., k, n]. Transposes and broadcasts are strides. */
export interface MatmulCall {
  /** Tells the calls apart. */
  readonly kernel: "matmul"
  /** Shape [...batch, m, k]. */
  readonly a: View
  /** Shape [...batch, k, n]. */
  readonly b: View
  /** Shape [...batch, m, n]; the last stride is 1. */
  readonly output: View
  /** What is done with each element of the product. Default: `output` is the product. */
  readonly epilogue?: Epilogue
}
