/**
 * What private training adds to a step, with its noise but without the account of a run: a session has none.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Plugins } from "../../../core/contracts/plugins.ts"
import { flat } from "../../../plugins/differential_privacy/clip.ts"
import { addNoise } from "../../../plugins/differential_privacy/noise/add_noise.ts"

/** Clipping to 1 over all parameters, and noise of deviation 1. */
export const layer: Layer.Layer<never, never, Plugins> = Layer.effectDiscard(
  Effect.flatMap(Plugins, ({ register }) =>
    register({
      id: "private/default",
      requires: { paddedRows: true, constantDivisor: true },
      gradients: {
        secret: true,
        example: (gradients) => flat(gradients, 1),
        task: { update: (tasks, state, context) => [addNoise(tasks, 1, context), state] },
      },
    })).pipe(Effect.orDie),
)
