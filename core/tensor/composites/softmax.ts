import { sliceRows } from "../box.ts"
import { div, exp, mul, sub } from "../operations/elementwise.ts"
import { sum } from "../operations/broadcast.ts"
import { maximum } from "../operations/reduce.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"
import { stopGradient } from "../operations/views.ts"

/** Softmax along the last axis. */
export const softmaxOperation: Operation = {
  name: "softmax",
  derivative: (n, cotangent) => [mul(n, sub(cotangent, sum(mul(cotangent, n), [-1], { keepDims: true })))],
  decompose: ({ inputs: [x] }) => {
    const e = exp(sub(x, stopGradient(maximum(x, [-1], { keepDims: true }))))
    return div(e, sum(e, [-1], { keepDims: true }))
  },
  slice: sliceRows,
}

/** e^x / sum(e^x) along the last axis. */
export function softmax(x: Tensor): Tensor {
  return node(softmaxOperation, [x], x.shape, "f32")
}
