import type { RunInfo } from "../../core/contracts/contribution.ts"
import type { Gradients, StepTransform, TotalTransformContext } from "../../core/contracts/gradient_transform.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import * as ops from "../../core/tensor/ops.ts"
import { ELASTIC_ID, type ResolvedElasticOptions } from "./elastic_options.ts"

/** States of a parameter: the diagonal of the Fisher information, and the value that it is held to. */
const fisherOf = (key: string) => `${key}/fisher`, anchorOf = (key: string) => `${key}/anchor`

/**
 * Adds the gradient of lambda / 2 * sum F (theta - theta*)^2 (Kirkpatrick et al. 2017, eq. 3), lambda * F * (theta - theta*),
 * after the mean over the step, so that its weight depends on no batch.
 */
export function elasticPenalty({ lambda, rows }: ResolvedElasticOptions): StepTransform<
  Gradients,
  TotalTransformContext
> {
  return {
    init: (parameters) =>
      Object.fromEntries(
        parameters.flatMap(({ key, shape }) => [[fisherOf(key), { shape }], [anchorOf(key), { shape }]]),
      ),
    start: {
      rows,
      update: (gradients, state, { parameters, examples }) =>
        Object.fromEntries([...gradients].flatMap(([key, gradient]) => {
          const squares = ops.batchSum(ops.mul(gradient, gradient))
          return [
            [fisherOf(key), ops.add(state[fisherOf(key)], ops.div(squares, examples))],
            [anchorOf(key), parameters.get(key)!],
          ]
        })),
    },
    update: (gradients, state, { parameters }) => {
      const pull = (key: string) =>
        ops.mul(ops.mul(state[fisherOf(key)], lambda), ops.sub(parameters.get(key)!, state[anchorOf(key)]))
      return [new Map([...gradients].map(([key, gradient]) => [key, ops.add(gradient, pull(key))])), state]
    },
  }
}

/** Throws PluginError for a run without the old rows, or one that keeps its rows private. */
export function checkElasticRun({ rows }: ResolvedElasticOptions, { plan, contributions }: RunInfo): void {
  if (plan === undefined) {
    throw pluginError(ELASTIC_ID, "it reads old rows before the first step: train with Trainer.fit and retain")
  }
  const missing = rows.filter((name) => !plan.retained.includes(name))
  if (missing.length > 0) {
    throw pluginError(
      ELASTIC_ID,
      `retain has no rows of ${JSON.stringify(missing)}, only of ${JSON.stringify(plan.retained)}: give the old rows ` +
        "under their name, Trainer.fit(model, { train }, { retain: { old } })",
    )
  }
  const isPrivate = contributions.find(({ gradients }) => gradients?.secret)
  if (isPrivate !== undefined) {
    throw pluginError(
      ELASTIC_ID,
      `the old rows would shape the weights without the noise of ${isPrivate.id}: leave one of both out`,
    )
  }
}
