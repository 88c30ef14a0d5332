import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { SitePlan } from "../../contracts/site.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { productByRow } from "./product_by_row.ts"

/** A bank's site in the stead of a Linear: weight and bias of each row's own. */
export function linearByRow({ parameters }: ModuleInfo): SitePlan {
  const specs = Object.entries(parameters).map(([name, shape]) =>
    [name, { shape, initializer: { kind: "zeros" } }] as const
  )
  return {
    place: "replace",
    parameters: Object.fromEntries(specs),
    forward: ({ parameter }, x) => {
      const y = productByRow(x, parameter("weight"))
      return parameters.bias === undefined ? y : ops.add(y, vectorByRow(parameter("bias"), y))
    },
  }
}

/** A vector of each row's own, [B, size], in a shape that meets [B, ..., size]. */
export function vectorByRow(vector: Tensor, { shape }: Tensor): Tensor {
  return ops.reshape(vector, [vector.shape[0], ...shape.slice(1, -1).map(() => 1), vector.shape[1]])
}
