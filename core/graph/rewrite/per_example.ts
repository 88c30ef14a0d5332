import type { DType } from "../../tensor/dtype.ts"
import { input, inputOperation } from "../../tensor/operations/leaves.ts"
import type { Shape } from "../../tensor/shape.ts"
import { ShapeError } from "../../tensor/shape_error.ts"
import { node as make, type Tensor } from "../../tensor/tensor.ts"
import { expand } from "../../tensor/operations/broadcast.ts"
import { reshape } from "../../tensor/operations/views.ts"
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

function liftNode(
  node: Tensor,
  inputs: ReadonlyArray<Tensor | undefined>,
  size: number,
  lift: (node: Tensor) => Tensor | undefined,
): Tensor {
  const { operation, shape, dtype, attributes } = node
  if (operation.decompose !== undefined) return lift(decompose(node))!
  const { lift: rule } = operation
  if (rule === undefined) {
    throw new ShapeError({ message: `The operation ${operation.name} cannot be lifted over examples` })
  }
  const operands = node.inputs.map((x, i) => {
    const batched = inputs[i]
    if (batched === undefined) return rule.broadcasts ? x : expand(reshape(x, [1, ...x.shape]), [size, ...x.shape])
    // Broadcasting aligns axes at the end: the example's axis moves to the front of the result's rank.
    return rule.broadcasts ? reshape(batched, [size, ...shape.slice(x.shape.length).map(() => 1), ...x.shape]) : batched
  })
  return make(operation, operands, [size, ...shape], dtype, { ...attributes, ...rule.attributes?.(attributes) })
}
