import type { Contribution, TaskInfo } from "../../core/contracts/contribution.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import { add, exp, mul, neg } from "../../core/tensor/ops.ts"

type Tasks = Readonly<Record<string, TaskInfo>>

/** Name of a task's logarithmic variance among the objective's parameters. */
const varianceName = (task: string): string => `logVariance.${task}`

/** A task's loss times its factor. */
export function byFactor(weights: Readonly<Record<string, number>>): Contribution["objective"] {
  return {
    wrap: (next) => (context) => {
      const { loss, weight } = next(context)
      const { task } = context.batch
      return { loss: Object.hasOwn(weights, task) ? mul(loss, weights[task]) : loss, weight }
    },
  }
}

/**
 * Kendall, Gal and Cipolla 2018, equations 7 and 10, with s the logarithm of a task's variance and L its mean loss:
 * exp(-s) L + s / 2; for regression, whose L is a mean squared error, exp(-s) / 2 L + s / 2.
 */
export function byUncertainty(id: string, tasks: Tasks): Contribution["objective"] {
  const start = { kind: "zeros" } as const
  return {
    parameters: Object.fromEntries(
      Object.keys(tasks).map((task) => [varianceName(task), { shape: [], initializer: start, tasks: [task] }]),
    ),
    wrap: (next) => (context) => {
      const { loss, weight } = next(context)
      const { task } = context.batch
      if (!Object.hasOwn(tasks, task)) {
        throw pluginError(
          id,
          `a batch is of the task ${JSON.stringify(task)}: train the model of all its tasks, not a view`,
        )
      }
      const s = context.parameter(varianceName(task))
      const scale = tasks[task].kind === "regression" ? 0.5 : 1
      return { loss: add(mul(loss, mul(exp(neg(s)), scale)), mul(weight, mul(s, 0.5))), weight }
    },
  }
}
