import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"

/** Non-linearities by their names in transformers. */
export const ACTIVATIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  relu: ops.relu,
  gelu: ops.gelu,
  gelu_new: ops.geluTanh,
  gelu_pytorch_tanh: ops.geluTanh,
  silu: ops.silu,
  swish: ops.silu,
  tanh: ops.tanh,
  sigmoid: ops.sigmoid,
  leakyrelu: (x) => ops.max(x, ops.mul(x, 0.01)),
  linear: (x) => x,
}
