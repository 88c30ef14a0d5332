import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { SitePlan } from "../../contracts/site.ts"
import * as ops from "../../tensor/ops.ts"
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
      if (parameters.bias === undefined) return y
      const bias = parameter("bias")
      return ops.add(y, ops.reshape(bias, [bias.shape[0], ...y.shape.slice(1, -1).map(() => 1), bias.shape[1]]))
    },
  }
}
