import { add, equal, exp, less, log, mul, sub, where } from "../operations/elementwise.ts"
import { iota } from "../operations/leaves.ts"
import { sum } from "../operations/broadcast.ts"
import { maximum } from "../operations/reduce.ts"
import { sameShape, show } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"
import { reshape, stopGradient } from "../operations/views.ts"
import { softmax } from "./softmax.ts"

/** 1 at the label's place along the last axis. */
function oneHot(labels: Tensor, classes: number): Tensor {
  const places = iota([...labels.shape.map(() => 1), classes], labels.shape.length)
  return equal(places, reshape(labels, [...labels.shape, 1]))
}

/** Softmax cross-entropy. */
export const crossEntropyOperation: Operation = {
  name: "crossEntropy",
  derivative: ({ inputs: [logits, labels] }, cotangent) => [
    node(crossEntropyGradientOperation, [logits, labels, cotangent], logits.shape, "f32"),
    undefined,
  ],
  decompose: ({ inputs: [logits, labels], shape }) => {
    const top = stopGradient(maximum(logits, [-1], { keepDims: true }))
    const total = add(log(sum(exp(sub(logits, top)), [-1], { keepDims: true })), top)
    const hit = sum(where(oneHot(labels, logits.shape.at(-1)!), logits, 0), [-1], { keepDims: true })
    const valid = sub(1, less(reshape(labels, [...shape, 1]), 0))
    return reshape(mul(sub(total, hit), valid), shape)
  },
  slice: ({ inputs: [logits] }, box) => [[...box, [0, logits.shape.at(-1)!]], box],
}

/** (softmax(logits) - one-hot label) times the cotangent of {@link crossEntropyOperation}. */
export const crossEntropyGradientOperation: Operation = {
  name: "crossEntropyGradient",
  decompose: ({ inputs: [logits, labels, cotangent] }) => {
    const weight = reshape(where(less(labels, 0), 0, cotangent), [...labels.shape, 1])
    return mul(sub(softmax(logits), oneHot(labels, logits.shape.at(-1)!)), weight)
  },
}

/**
 * -log softmax(logits)[label], in nats: logits [..., classes], labels i32 [...] gives [...]. A negative label
 * (-100 by convention) is masked: its loss and derivative are 0.
 */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  if (!sameShape(logits.shape.slice(0, -1), labels.shape) || labels.dtype !== "i32") {
    throw new ShapeError({
      message: `Labels ${labels.dtype}${show(labels.shape)} do not fit logits ${show(logits.shape)}`,
    })
  }
  return node(crossEntropyOperation, [logits, labels], labels.shape, "f32")
}
