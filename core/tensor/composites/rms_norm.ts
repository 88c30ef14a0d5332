import { sliceRows } from "../box.ts"
import { add, mul, rsqrt, sub } from "../operations/elementwise.ts"
import { sumTo } from "../operations/broadcast.ts"
import { mean } from "../operations/reduce.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"

const scaleOf = (x: Tensor, epsilon: number) => rsqrt(add(mean(mul(x, x), [-1], { keepDims: true }), epsilon))

/** Root-mean-square norm; attribute `epsilon`. */
export const rmsNormOperation: Operation = {
  name: "rmsNorm",
  derivative: (n, cotangent) => {
    const [x, weight] = n.inputs
    const scale = scaleOf(x, n.attributes.epsilon as number)
    const normed = mul(x, scale)
    const inner = mul(cotangent, weight)
    const along = mean(mul(inner, normed), [-1], { keepDims: true })
    return [mul(scale, sub(inner, mul(normed, along))), sumTo(mul(cotangent, normed), weight.shape)]
  },
  decompose: ({ inputs: [x, weight], attributes }) => mul(mul(x, scaleOf(x, attributes.epsilon as number)), weight),
  slice: sliceRows,
}

/** x / sqrt(mean(x^2) + epsilon) * weight along the last axis (Zhang and Sennrich 2019). `weight` is [width]. */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  return node(rmsNormOperation, [x, weight], x.shape, "f32", { epsilon })
}
