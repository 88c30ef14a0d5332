import type { Contribution } from "../../contracts/contribution.ts"
import type { Objective } from "../../contracts/objective.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import type { Tensor } from "../../tensor/tensor.ts"

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
