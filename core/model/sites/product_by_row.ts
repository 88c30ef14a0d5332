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
