import { add, div, mul, sqrt, sub } from "../../tensor/ops.ts"
import type { Optimizer } from "./optimizer.ts"

/** Options of {@link adamW}. */
export interface AdamWOptions {
  /** Decay rates of the first and second moment. Default `[0.9, 0.999]`. */
  readonly betas?: readonly [number, number]
  /** Added to the square root of the second moment. Default 1e-8. */
  readonly epsilon?: number
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), in the order of operations of
 * `torch.optim.AdamW`: `p (1 - lr wd) - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
 */
export function adamW(options: AdamWOptions = {}): Optimizer {
  const { betas = [0.9, 0.999], epsilon = 1e-8 } = options
  const [beta1, beta2] = betas
  return {
    name: "adamw",
    settings: { betas, epsilon },
    state: (shape) => ({ mean: { shape }, square: { shape } }),
    scalars: (step) => ({
      meanScale: 1 / (1 - beta1 ** step),
      squareScale: 1 / Math.sqrt(1 - beta2 ** step),
    }),
    update: (parameter, gradient, state, { learningRate, scalars, weightDecay }) => {
      const mean = add(mul(state.mean, beta1), mul(gradient, 1 - beta1))
      const square = add(mul(state.square, beta2), mul(mul(gradient, gradient), 1 - beta2))
      const kept = weightDecay === 0 ? parameter : mul(parameter, sub(1, mul(learningRate, weightDecay)))
      const change = div(mean, add(mul(sqrt(square), scalars.squareScale), epsilon))
      return {
        parameter: sub(kept, mul(mul(learningRate, scalars.meanScale), change)),
        state: { mean, square },
      }
    },
  }
}
