/**
 * What rows of a batch do with numbers of their own, for the sites of a bank.
 * @module
 */
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { SitePlan } from "../../contracts/site.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/**
 * x weight^T with a weight of each row's own: [B, ..., inFeatures] and [B, outFeatures, inFeatures] to
 * [B, ..., outFeatures].
 */
export function productByRow(x: Tensor, weight: Tensor): Tensor {
  const [batch, outFeatures, inFeatures] = weight.shape
  const rows = x.shape.length === 3 ? x : ops.reshape(x, [batch, -1, inFeatures])
  const y = ops.matmul(rows, weight, { transposeB: true })
  return x.shape.length === 3 ? y : ops.reshape(y, [...x.shape.slice(0, -1), outFeatures])
}

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
