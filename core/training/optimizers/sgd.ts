import { add, mul, sub } from "../../tensor/ops.ts"
import type { Optimizer } from "./optimizer.ts"

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** Factor on the last velocity. Default 0: no state. */
  readonly momentum?: number
}

/** Gradient descent with momentum, as `torch.optim.SGD`: `v = momentum v + (g + wd p)`, `p - lr v`. */
export function sgd(options: SgdOptions = {}): Optimizer {
  const { momentum = 0 } = options
  return {
    name: "sgd",
    settings: { momentum },
    state: (shape) => momentum === 0 ? {} : { velocity: { shape } },
    scalars: () => ({}),
    update: (parameter, gradient, state, { learningRate, weightDecay }) => {
      const decayed = weightDecay === 0 ? gradient : add(gradient, mul(parameter, weightDecay))
      const velocity = momentum === 0 ? decayed : add(mul(state.velocity, momentum), decayed)
      return {
        parameter: sub(parameter, mul(learningRate, velocity)),
        state: momentum === 0 ? {} : { velocity },
      }
    },
  }
}
