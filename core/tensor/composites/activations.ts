import { add, div, erf, max, mul, sigmoid, tanh } from "../elementwise.ts"
import type { Tensor } from "../tensor.ts"

/** x if positive, else 0. */
export function relu(x: Tensor): Tensor {
  return max(x, 0)
}

/** x sigmoid(x), also called swish. */
export function silu(x: Tensor): Tensor {
  return mul(x, sigmoid(x))
}

/** x Phi(x), by the error function (Hendrycks and Gimpel 2016). */
export function gelu(x: Tensor): Tensor {
  return mul(mul(x, 0.5), add(erf(div(x, Math.SQRT2)), 1))
}

/** The tanh approximation of {@link gelu} (`gelu_new`, `gelu_pytorch_tanh`). */
export function geluTanh(x: Tensor): Tensor {
  const inner = mul(add(x, mul(mul(mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI))
  return mul(mul(x, 0.5), add(tanh(inner), 1))
}
