import { sliceRows } from "../box.ts"
import { add, mul, rsqrt, sub } from "../operations/elementwise.ts"
import { sumTo } from "../operations/broadcast.ts"
import { mean } from "../operations/reduce.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"

function standardize(x: Tensor, epsilon: number): { normed: Tensor; scale: Tensor } {
  const centred = sub(x, mean(x, [-1], { keepDims: true }))
  const scale = rsqrt(add(mean(mul(centred, centred), [-1], { keepDims: true }), epsilon))
  return { normed: mul(centred, scale), scale }
}

/** Layer norm; attribute `epsilon`. */
export const layerNormOperation: Operation = {
  name: "layerNorm",
  derivative: (n, cotangent) => {
    const [x, weight, bias] = n.inputs
    const { normed, scale } = standardize(x, n.attributes.epsilon as number)
    const inner = mul(cotangent, weight)
    const level = mean(inner, [-1], { keepDims: true })
    const along = mean(mul(inner, normed), [-1], { keepDims: true })
    return [
      mul(scale, sub(sub(inner, level), mul(normed, along))),
      sumTo(mul(cotangent, normed), weight.shape),
      sumTo(cotangent, bias.shape),
    ]
  },
  decompose: ({ inputs: [x, weight, bias], attributes }) =>
    add(mul(standardize(x, attributes.epsilon as number).normed, weight), bias),
  slice: sliceRows,
}

/** (x - mean) / sqrt(variance + epsilon) * weight + bias along the last axis (Ba et al. 2016); both are [width]. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  return node(layerNormOperation, [x, weight, bias], x.shape, "f32", { epsilon })
}
