import type { Gradients } from "../../core/contracts/gradient_transform.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { exampleSquares, scaleExamples } from "../../core/graph/rewrite/example_gradients.ts"
import * as ops from "../../core/tensor/ops.ts"
import { ShapeError } from "../../core/tensor/shape_error.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"

/** Scales the gradients of each example, [B, ...shape], so that all together measure at most a norm (L2). */
export type Clipping = (gradients: Gradients, maxGradNorm: number) => Gradients

/** Added to norms, so that rounding takes none over the bound, and a gradient of zero stays one: as Opacus. */
const MARGIN = 1e-6

/** The squared norm of each example: [B]. Throws PluginError for a parameter whose gradients would have to be stored whole. */
function squares([key, gradient]: readonly [string, Tensor]): Tensor {
  try {
    return exampleSquares(gradient)
  } catch (cause) {
    if (!(cause instanceof ShapeError)) throw cause
    throw new PluginError({
      plugin: "differential_privacy",
      message: `differential_privacy: "${key}" cannot train. ${cause.message}. Train other parameters, with LoRA for ` +
        "instance",
    })
  }
}

function scaled(gradient: Tensor, norm: Tensor, maxGradNorm: number | Tensor): Tensor {
  return scaleExamples(gradient, ops.min(1, ops.div(maxGradNorm, ops.add(norm, MARGIN))))
}

/** The norm of each example over all parameters: [B]. */
export function exampleNorms(gradients: Gradients): Tensor {
  return ops.sqrt([...gradients].map(squares).reduce((a, b) => ops.add(a, b)))
}

/** Each example scaled down to a norm, a number or f32 []. @param norms Of {@link exampleNorms}. */
export function scaledTo(gradients: Gradients, norms: Tensor, maxGradNorm: number | Tensor): Gradients {
  return new Map([...gradients].map(([key, gradient]) => [key, scaled(gradient, norms, maxGradNorm)]))
}

/** By the norm over all parameters. */
export const flat: Clipping = (gradients, maxGradNorm) => scaledTo(gradients, exampleNorms(gradients), maxGradNorm)

/** Each parameter by its own norm, to an equal share of the squared bound. */
export const perLayer: Clipping = (gradients, maxGradNorm) => {
  const own = maxGradNorm / Math.sqrt(gradients.size)
  return new Map([...gradients].map((each) => [each[0], scaled(each[1], ops.sqrt(squares(each)), own)]))
}
