/**
 * AdapterFusion at one module.
 * @module
 */
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Objective } from "../../core/contracts/objective.ts"
import type { Initializer, ParameterSpec } from "../../core/contracts/parameter.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { type AdapterScope, hiddenSizeOf } from "./bottleneck.ts"
import type { ResolvedFusion } from "./composition.ts"

const VALUE = "value.weight"

/** A fusion's parameters, by AdapterHub's names. */
export function fusionParameters(
  { value }: ResolvedFusion,
  module: ModuleInfo,
): Readonly<Record<string, ParameterSpec>> {
  const width = hiddenSizeOf(module)
  const linear = (name: string): Record<string, ParameterSpec> => ({
    [`${name}.weight`]: { shape: [width, width], initializer: { kind: "normal", std: 0.02 } },
    [`${name}.bias`]: { shape: [width], initializer: { kind: "zeros" } },
  })
  return {
    ...linear("query"),
    ...linear("key"),
    ...(value ? { [VALUE]: { shape: [width, width], initializer: nearlyIdentity(width) } } : {}),
  }
}

/** The identity plus a small constant elsewhere, as in AdapterHub. */
function nearlyIdentity(width: number): Initializer {
  const data = new Float32Array(width * width).fill(1e-6)
  for (let i = 0; i < width; i++) data[i * width + i] = 1
  return { kind: "values", data }
}

/**
 * V sum_i a_i u_i with a = softmax((Q h + b_q) . (K u_i + b_k)): h and every u_i are [B, T, hiddenSize]. The key's bias
 * adds the same to all scores of a token, so it has no effect; AdapterHub's files contain it.
 */
export function applyFusion(
  { value, dropoutProb }: ResolvedFusion,
  { parameter, dropout }: AdapterScope,
  h: Tensor,
  outputs: ReadonlyArray<Tensor>,
): Tensor {
  const query = ops.add(ops.matmul(h, parameter("query.weight"), { transposeB: true }), parameter("query.bias"))
  // (Q h) . (K u) = (K^T Q h) . u: one product for all members.
  const asked = ops.matmul(query, parameter("key.weight"))
  const scores = outputs.map((u) => ops.sum(ops.mul(asked, u), [-1], { keepDims: true }))
  const shares = ops.softmax(dropout(ops.concat(scores, -1), dropoutProb))
  const mixed = outputs
    .map((u, i) => ops.mul(ops.narrow(shares, -1, i, i + 1), u))
    .reduce((a, b) => ops.add(a, b))
  return value ? ops.matmul(mixed, parameter(VALUE), { transposeB: true }) : mixed
}

/** The loss with 0.01 ||I - V||^2 (Frobenius) of these fusions' value matrices, once for the whole batch. */
export function regularize(fusions: ReadonlyArray<ResolvedFusion>): (next: Objective) => Objective {
  const names = fusions.map(({ name }) => `${name}.${VALUE}`)
  return (next) => (context) => {
    const { loss, weight } = next(context)
    const values = context.trained.filter(({ parameter: { name } }) => names.includes(name))
    const terms = values.map(({ tensor }) => {
      const [width] = tensor.shape
      const isDiagonal = ops.equal(ops.iota([width, 1], 0), ops.iota([1, width], 1))
      const off = ops.sub(tensor, ops.where(isDiagonal, 1, 0))
      return ops.mul(ops.sum(ops.mul(off, off)), 0.01)
    })
    // The step's loss is sum of losses / sum of weights, so a term times the weight counts once.
    return { loss: terms.reduce((sum, term) => ops.add(sum, ops.mul(term, weight)), loss), weight }
  }
}
