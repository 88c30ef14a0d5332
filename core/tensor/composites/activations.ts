import { sliceElements } from "../box.ts"
import { add, erf, exp, max, mul, sigmoid, sub, tanh } from "../operations/elementwise.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"

/**
 * An activation with its slope in one piece. The slope rests on x alone: it is computed beside the value, and all that a
 * derivative keeps. Taken apart by the chain rule, each factor would be kept.
 */
function activation(name: string, value: (x: Tensor) => Tensor, slope: (x: Tensor) => Tensor): Operation {
  return {
    name,
    derivative: ({ inputs: [x] }, cotangent) => [mul(cotangent, slope(x))],
    decompose: ({ inputs: [x] }) => value(x),
    slice: sliceElements,
  }
}

const siluOperation = activation(
  "silu",
  (x) => mul(x, sigmoid(x)),
  (x) => {
    const part = sigmoid(x)
    return add(part, mul(mul(x, part), sub(1, part)))
  },
)

/** Phi(x) and its slope, the density of the normal distribution. */
const normal = (x: Tensor) => mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5)
const density = (x: Tensor) => mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI))
const geluOperation = activation(
  "gelu",
  (x) => mul(x, normal(x)),
  (x) => add(normal(x), mul(x, density(x))),
)

const SCALE = Math.sqrt(2 / Math.PI), CUBIC = 0.044715
const bent = (x: Tensor) => tanh(mul(add(x, mul(mul(mul(x, x), x), CUBIC)), SCALE))
const geluTanhOperation = activation(
  "geluTanh",
  (x) => mul(mul(x, 0.5), add(bent(x), 1)),
  (x) => {
    const y = bent(x)
    const inner = mul(add(mul(mul(x, x), 3 * CUBIC), 1), SCALE)
    return add(mul(add(y, 1), 0.5), mul(mul(mul(x, 0.5), sub(1, mul(y, y))), inner))
  },
)

/** x if positive, else 0. */
export function relu(x: Tensor): Tensor {
  return max(x, 0)
}

/** x sigmoid(x), also called swish. */
export function silu(x: Tensor): Tensor {
  return node(siluOperation, [x], x.shape, "f32")
}

/** x Phi(x), by the error function (Hendrycks and Gimpel 2016). */
export function gelu(x: Tensor): Tensor {
  return node(geluOperation, [x], x.shape, "f32")
}

/** The tanh approximation of {@link gelu} (`gelu_new`, `gelu_pytorch_tanh`). */
export function geluTanh(x: Tensor): Tensor {
  return node(geluTanhOperation, [x], x.shape, "f32")
}
