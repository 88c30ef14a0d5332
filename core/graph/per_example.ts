import type { DType } from "../tensor/dtype.ts"
import { inputOperation } from "../tensor/leaves.ts"
import { input } from "../tensor/leaves.ts"
import { matmulOperation } from "../tensor/matmul.ts"
import { reduceOperation } from "../tensor/reduce.ts"
import type { Shape } from "../tensor/shape.ts"
import { ShapeError } from "../tensor/shape_error.ts"
import { node as make, type Operation, type Tensor } from "../tensor/tensor.ts"
import {
  concatOperation,
  expand,
  expandOperation,
  flipOperation,
  padOperation,
  permuteOperation,
  reshape,
  reshapeOperation,
  sliceOperation,
} from "../tensor/views.ts"
import { decompose } from "./decompose.ts"

/**
 * Applies a function of one tensor to each example of `batched` [B, ...shape]: the function is traced once for a single
 * example, and the trace is lifted over the batch.
 */
export function withExamples(
  shape: Shape,
  dtype: DType,
  batched: Tensor,
  apply: (single: Tensor) => ReadonlyArray<Tensor | undefined>,
): ReadonlyArray<Tensor | undefined> {
  const single = input("example", shape, { dtype })
  const size = batched.shape[0]
  const lifted = new Map<Tensor, Tensor | undefined>([[single, batched]])
  /** The node for every example, or undefined where it is the same for all. */
  const lift = (node: Tensor): Tensor | undefined => {
    if (lifted.has(node)) return lifted.get(node)
    const inputs = node.inputs.map(lift)
    const result = inputs.every((x) => x === undefined) || node.operation === inputOperation
      ? undefined
      : liftNode(node, inputs, size, lift)
    lifted.set(node, result)
    return result
  }
  return apply(single).map((result) =>
    result && (lift(result) ?? expand(reshape(result, [1, ...result.shape]), [size, ...result.shape]))
  )
}

/** How attributes and inputs of a vocabulary operation change when an axis comes in front. */
const rules = new Map<Operation, (node: Tensor) => Record<string, unknown>>([
  [reduceOperation, ({ attributes }) => ({ axes: (attributes.axes as number[]).map((axis) => axis + 1) })],
  [matmulOperation, () => ({})],
  [reshapeOperation, () => ({})],
  [expandOperation, () => ({})],
  [permuteOperation, ({ attributes }) => ({ order: [0, ...(attributes.order as number[]).map((axis) => axis + 1)] })],
  [sliceOperation, ({ attributes }) => ({ starts: [0, ...attributes.starts as number[]] })],
  [padOperation, ({ attributes }) => ({ before: [0, ...attributes.before as number[]] })],
  [flipOperation, ({ attributes }) => ({ axis: attributes.axis as number + 1 })],
  [concatOperation, ({ attributes }) => ({ axis: attributes.axis as number + 1 })],
])

function liftNode(
  node: Tensor,
  inputs: ReadonlyArray<Tensor | undefined>,
  size: number,
  lift: (node: Tensor) => Tensor | undefined,
): Tensor {
  const { operation, shape, dtype, attributes } = node
  if (operation.decompose !== undefined) return lift(decompose(node))!
  const elementwise = "elementwise" in operation
  const rule = rules.get(operation)
  if (!elementwise && rule === undefined) {
    throw new ShapeError({ message: `The operation ${operation.name} cannot be lifted over examples` })
  }
  const aligned = operation === expandOperation || operation === matmulOperation || elementwise
  const operands = node.inputs.map((x, i) => {
    const own = inputs[i]
    if (own === undefined) {
      return operation === concatOperation ? expand(reshape(x, [1, ...x.shape]), [size, ...x.shape]) : x
    }
    // Broadcasting aligns axes at the end: the example's axis moves to the front of the result's rank.
    return aligned ? reshape(own, [size, ...shape.slice(x.shape.length).map(() => 1), ...x.shape]) : own
  })
  return make(operation, operands, [size, ...shape], dtype, { ...attributes, ...rule?.(node) })
}
