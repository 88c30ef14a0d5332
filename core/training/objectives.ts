import type { Contribution } from "../contracts/contribution.ts"
import type { Objective } from "../contracts/objective.ts"
import type { Parameter } from "../contracts/parameter.ts"
import { labelKind, type Task } from "../model/task.ts"
import { crossEntropy, less, sub, sum } from "../tensor/ops.ts"
import type { Tensor } from "../tensor/tensor.ts"

/** Cross-entropy of one label an example: logits [B, classes], labels [B]. Every labelled example weighs 1. */
export const perExample: Objective = ({ batch, outputs }) => ({
  loss: crossEntropy(outputs.logits, batch.labels),
  weight: sub(1, less(batch.labels, 0)),
})

/**
 * Cross-entropy of each token's label: logits [B, T, classes], labels [B, T]. Every unmasked token weighs 1. A packed row
 * gives one sum.
 */
export const perToken: Objective = ({ batch, outputs }) => ({
  loss: sum(crossEntropy(outputs.logits, batch.labels), [1]),
  weight: sum(sub(1, less(batch.labels, 0)), [1]),
})

/** The loss of a task, before contributions wrap it. */
export function objectiveOf(task: Task): Objective {
  return labelKind(task) === "token" ? perToken : perExample
}

/**
 * An objective inside the wraps of contributions, the first one innermost. Each wrap sees its own parameters, which
 * `parameter` finds by their key `<id>:objective.<name>`, and those of its plugin among the trained ones.
 */
export function wrapObjective(
  objective: Objective,
  contributions: ReadonlyArray<Contribution>,
  parameter: (key: string) => Tensor,
  trained: ReadonlyArray<Parameter & { readonly tensor: Tensor }>,
): Objective {
  return contributions.reduce((next, { id, objective: change }): Objective => {
    if (change === undefined) return next
    const wrapped = change.wrap(next)
    const own = trained.filter(({ owner }) => owner === id).map((one) => ({ parameter: one, tensor: one.tensor }))
    return (context) => wrapped({ ...context, parameter: (name) => parameter(`${id}:objective.${name}`), trained: own })
  }, objective)
}
