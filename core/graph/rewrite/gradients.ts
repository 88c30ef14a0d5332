/**
 * Reverse-mode derivatives as a graph transform: graph in, graph out.
 * @module
 */
import { add, equal, where } from "../../tensor/operations/elementwise.ts"
import { again, recomputeOperation } from "../../tensor/composites/recompute.ts"
import { full, inputOperation, iota } from "../../tensor/operations/leaves.ts"
import { batchSumOperation, expand } from "../../tensor/operations/broadcast.ts"
import { sameShape, show, sizeOf } from "../../tensor/shape.ts"
import { ShapeError } from "../../tensor/shape_error.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { concat, padOperation, reshape } from "../../tensor/operations/views.ts"
import { decompose } from "./decompose.ts"
import { allOf } from "../nodes.ts"
import { withExamples } from "./per_example.ts"
import { isElementwise } from "./simplify.ts"

/** Options of {@link gradients}. */
export interface GradientOptions {
  /** Keep the contribution of each example apart: results are [B, ...shape]. Default false. */
  readonly perExample?: boolean
}

/**
 * Derivatives of a scalar `loss` with respect to tensors (zeros for those that it does not depend on). Only what feeds
 * the wanted derivatives is computed.
 *
 * With `perExample`, results are [B, ...shape]: what each example of the batch (axis 0 of inputs marked `batch`)
 * gives. It works because operations never mix examples, and sum what a shared operand gets over the batch last.
 */
export function gradients(
  loss: Tensor,
  wanted: ReadonlyArray<Tensor>,
  options: GradientOptions = {},
): ReadonlyArray<Tensor> {
  if (sizeOf(loss.shape) !== 1) {
    throw new ShapeError({ message: `Derivatives need a scalar loss, got ${show(loss.shape)}` })
  }
  const batch = options.perExample ? batchOf(loss) : undefined
  const found = pullBack(loss, full(1, loss.shape), wanted, { batch })
  return wanted.map((tensor, i) => {
    const shape = batch === undefined ? tensor.shape : [batch.size, ...tensor.shape]
    return found[i] ?? expand(full(0), shape)
  })
}

/** The examples of a graph. */
interface Batch {
  readonly size: number
  /** Whether a node's axis 0 counts examples. */
  readonly has: (node: Tensor) => boolean
}

function batchOf(root: Tensor): Batch {
  const nodes = reachable(root)
  const having = new Set<Tensor>()
  let size: number | undefined
  for (const node of nodes) {
    if (node.operation === inputOperation ? node.attributes.batch : node.inputs.some((x) => having.has(x))) {
      having.add(node)
    }
    if (node.operation === inputOperation && node.attributes.batch) size ??= node.shape[0]
  }
  if (size === undefined) throw new ShapeError({ message: "Per-example derivatives need an input marked as a batch" })
  return { size, has: (node) => having.has(node) }
}

/** All nodes that `root` depends on, inputs first. */
function reachable(root: Tensor): ReadonlyArray<Tensor> {
  return allOf([root])
}

/** Cotangents of `wanted`, given that of `root`; with `partial`, the walk ends at them. */
function pullBack(
  root: Tensor,
  cotangent: Tensor,
  wanted: ReadonlyArray<Tensor>,
  { batch, partial = false }: { readonly batch?: Batch | undefined; readonly partial?: boolean },
): ReadonlyArray<Tensor | undefined> {
  const nodes = reachable(root)
  const leading = new Set<Tensor>(wanted)
  for (const node of nodes) if (node.inputs.some((x) => leading.has(x))) leading.add(node)
  const parts = new Map<Tensor, Tensor[]>([[root, [cotangent]]])
  const ends = new Set(partial ? wanted : [])
  for (const node of nodes.toReversed()) {
    const shares = parts.get(node)
    if (shares === undefined || ends.has(node) || !node.inputs.some((x) => leading.has(x))) continue
    const own = total(shares)
    // A node apart from the batch has a cotangent for each example.
    const apart = batch !== undefined && !batch.has(node)
    const passed = apart
      ? withExamples(node.shape, node.dtype, own, (single) => derivative(node, single, leading))
      : derivative(node, own, leading)
    node.inputs.forEach((input, i) => {
      const share = passed[i]
      if (share === undefined || !leading.has(input)) return
      const part = batch !== undefined && !apart && !batch.has(input)
        ? hasRows(input, node, batch.size) ? ownRows(share, batch.size) : perExample(share, input, batch.size)
        : share
      parts.set(input, [...parts.get(input) ?? [], part])
    })
  }
  return wanted.map((tensor) => parts.has(tensor) ? total(parts.get(tensor)!) : undefined)
}

/** The sum of the cotangents of several uses; slices that cover the whole are joined instead. */
function total(shares: ReadonlyArray<Tensor>): Tensor {
  const shape = shares[0].shape
  if (shares.length > 1 && shares.every((share) => share.operation === padOperation)) {
    const axis = shape.findIndex((extent, a) => shares[0].inputs[0].shape[a] !== extent)
    const start = (share: Tensor) => (share.attributes.before as number[])[axis]
    const ordered = shares.toSorted((a, b) => start(a) - start(b))
    const whole = ordered.every((share, i) => {
      const [part] = share.inputs
      const end = start(share) + part.shape[axis]
      return part.shape.every((extent, a) => a === axis || extent === shape[a]) &&
        (i === 0 ? start(share) === 0 : true) && end === (i + 1 < ordered.length ? start(ordered[i + 1]) : shape[axis])
    })
    if (whole) return concat(ordered.map((share) => share.inputs[0]), axis)
  }
  return shares.reduce((a, b) => add(a, b))
}

function derivative(node: Tensor, own: Tensor, leading: ReadonlySet<Tensor>): ReadonlyArray<Tensor | undefined> {
  if (node.operation.derivative !== undefined) return node.operation.derivative(node, own)
  if (node.operation.decompose === undefined) {
    throw new ShapeError({ message: `The operation ${node.operation.name} has no derivative` })
  }
  if (node.operation === recomputeOperation) {
    const { value, x } = again(node)
    const parts = node.inputs.map((input, i) => i === 0 ? x : input)
    const wanted = parts.filter((_, i) => leading.has(node.inputs[i]))
    const found = pullBack(value, own, wanted, { partial: true })
    return parts.map((part) => found[wanted.indexOf(part)])
  }
  // Derivatives of the parts; shares of a shared operand stay sums over the batch, so examples can be told apart.
  const wanted = node.inputs.filter((x) => leading.has(x))
  const found = pullBack(decompose(node), own, wanted, { partial: true })
  return node.inputs.map((x) => found[wanted.indexOf(x)])
}

/** Whether an operand that no example is part of has a row for each of them, such as a constant. */
const hasRows = ({ shape }: Tensor, node: Tensor, size: number): boolean =>
  size > 1 && isElementwise(node) && shape.length === node.shape.length && shape[0] === size

/** What each example gives to an operand that has a row for each of them: its own row, and zeros. */
function ownRows(share: Tensor, size: number): Tensor {
  const isOwn = equal(iota([size, 1], 0), iota([1, size], 1))
  const inner = share.shape.slice(1).map(() => 1)
  return where(reshape(isOwn, [size, size, ...inner]), reshape(share, [1, ...share.shape]), 0)
}

/** What each example gives to an operand that all share: the share before its sum over the batch. */
function perExample(share: Tensor, input: Tensor, size: number): Tensor {
  if (share.operation === batchSumOperation && share.inputs[0].shape[0] === size) return share.inputs[0]
  // What a part of a graph gives that uses the operand twice.
  if (share.operation.name === "add" && share.inputs.every((x) => sameShape(x.shape, share.shape))) {
    return share.inputs.map((x) => perExample(x, input, size)).reduce((a, b) => add(a, b))
  }
  const shape = [size, ...input.shape]
  if (size === 1 && sameShape(share.shape, input.shape)) return reshape(share, shape)
  throw new ShapeError({ message: `Operation mixes examples: no per-example derivative for ${show(input.shape)}` })
}
