/**
 * Noiseless DP-SGD (Abadi et al. 2016, algorithm 1 with sigma 0): each example's gradient is clipped, over all trained
 * parameters together, to a norm.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { type Gradients, ops, type PluginError, Plugins } from "@espalier/espalier"

/** Options of {@link layer}. */
export interface DpSgdOptions {
  /** Most that one example's gradient may measure (L2). */
  readonly maxGradNorm: number
  /** Whether the sum of clipped gradients is divided by the number of examples planned, not by that drawn. Default false. */
  readonly constantDivisor?: boolean
}

/** Identity of the capability. */
export interface DpSgd {
  /** Nominal brand. */
  readonly "~seams/DpSgd": "~seams/DpSgd"
}
const DpSgd: Context.Service<DpSgd, DpSgdOptions> = Context.Service<DpSgd, DpSgdOptions>("seams/DpSgd")

/** Clips examples. */
export function layer(options: DpSgdOptions): Layer.Layer<DpSgd, PluginError, Plugins.Plugins> {
  const { maxGradNorm, constantDivisor = false } = options
  return Plugins.plugin(
    DpSgd,
    Effect.succeed([options, {
      id: "dp_sgd/default",
      requires: { constantDivisor },
      ...(constantDivisor ? {} : {
        objective: {
          // A mean over the example's own tokens: what another example holds does not show in it.
          wrap: (next) => (context) => {
            const { loss, weight } = next(context)
            return { loss: ops.div(loss, ops.max(weight, 1)), weight: ops.min(weight, 1) }
          },
        },
      }),
      gradients: { example: (gradients) => clip(gradients, maxGradNorm) },
    }]),
  )
}

function clip(gradients: Gradients, maxGradNorm: number): Gradients {
  const squares = [...gradients.values()].map((gradient) =>
    ops.sum(ops.mul(gradient, gradient), gradient.shape.map((_, axis) => axis).slice(1))
  )
  const norm = ops.sqrt(squares.reduce((a, b) => ops.add(a, b)))
  const factor = ops.min(ops.div(maxGradNorm, ops.max(norm, 1e-12)), 1)
  return new Map(
    [...gradients].map(([key, gradient]) => [
      key,
      ops.mul(gradient, ops.reshape(factor, [-1, ...gradient.shape.slice(1).map(() => 1)])),
    ]),
  )
}
