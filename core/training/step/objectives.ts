import type { Contribution } from "../../contracts/contribution.ts"
import type { Objective } from "../../contracts/objective.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/**
 * Wraps an objective by the contributions, the first one innermost. A wrap gets its own parameters by name, from
 * `parameter` under the key `<id>:objective.<name>`, and its plugin's among the trained ones.
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
