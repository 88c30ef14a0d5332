import { sizeOf } from "../shape.ts"
import type { Tensor } from "../tensor.ts"
import { reduce, type ReduceOptions, reduceOver, type Reduction, reduction, sum, sumOperation } from "./broadcast.ts"
import { div, equal, mul, neg, toFloat, toInt, where } from "./elementwise.ts"
import { iota } from "./leaves.ts"

/** Maximum over some axes. Elements that share the maximum share its cotangent. */
const maximumOperation: Reduction = reduction("max", (n, cotangent) => {
  const winners = equal(n.inputs[0], n)
  return [mul(winners, div(cotangent, reduce(sumOperation, winners, n.attributes.axes as number[])))]
})

/** Whether a node is a sum or a maximum over axes. */
export const isReduction = ({ operation }: Tensor): boolean =>
  operation === sumOperation || operation === maximumOperation

/** Maximum over axes (default: all). */
export function maximum(x: Tensor, axes?: ReadonlyArray<number>, options?: ReduceOptions): Tensor {
  return reduceOver(maximumOperation, x, axes, options)
}

/** Mean over axes (default: all). */
export function mean(x: Tensor, axes?: ReadonlyArray<number>, options?: ReduceOptions): Tensor {
  const total = sum(x, axes, options)
  return mul(total, sizeOf(total.shape) / sizeOf(x.shape))
}

/** Index of the (first) greatest element along the last axis, i32: [..., n] to [...]. For n up to 2^24. */
export function argmax(x: Tensor): Tensor {
  const last = x.shape.length - 1
  const places = toFloat(iota(x.shape.map((extent, axis) => axis === last ? extent : 1), last))
  const top = maximum(x, [last], { keepDims: true })
  return toInt(neg(maximum(where(equal(x, top), neg(places), -Infinity), [last])))
}
