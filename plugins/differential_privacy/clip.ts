import type { Gradients } from "../../core/contracts/gradient_transform.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"

/** Scales the gradients of each example, [B, ...shape], so that all together measure at most a norm (L2). */
export type Clipping = (gradients: Gradients, maxGradNorm: number) => Gradients

/** Added to norms, so that rounding takes none over the bound, and a gradient of zero stays one: as Opacus. */
const MARGIN = 1e-6

/** Sum of the squares of each example: [B]. */
function squares(gradient: Tensor): Tensor {
  const inner = gradient.shape.map((_, axis) => axis).slice(1)
  const square = ops.mul(gradient, gradient)
  return inner.length === 0 ? square : ops.sum(square, inner)
}

function scaled(gradient: Tensor, square: Tensor, maxGradNorm: number): Tensor {
  const factor = ops.min(1, ops.div(maxGradNorm, ops.add(ops.sqrt(square), MARGIN)))
  return ops.mul(gradient, ops.reshape(factor, [-1, ...gradient.shape.slice(1).map(() => 1)]))
}

/** By the norm over all parameters. */
export const flat: Clipping = (gradients, maxGradNorm) => {
  const all = [...gradients.values()].map(squares).reduce((a, b) => ops.add(a, b))
  return new Map([...gradients].map(([key, gradient]) => [key, scaled(gradient, all, maxGradNorm)]))
}

/** Each parameter by its own norm, to an equal share of the squared bound. */
export const perLayer: Clipping = (gradients, maxGradNorm) => {
  const own = maxGradNorm / Math.sqrt(gradients.size)
  return new Map([...gradients].map(([key, gradient]) => [key, scaled(gradient, squares(gradient), own)]))
}
