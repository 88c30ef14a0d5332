/**
 * Cross-entropy of a product with a large matrix, in chunks of its vocabulary: the logits are never held.
 *
 * Where logits = x W^T (+ bias) serve a loss and the derivative by x alone, both follow from one walk over chunks of W
 * with a running maximum m, a running sum s of exp(logits - m), and the running mean of W's rows under these weights, as
 * in attention (Rabe and Staats 2021): loss = m + log s - logit of the label; dx = (mean - W's row of the label) times
 * the cotangent.
 * @module
 */
import { crossEntropyGradientOperation, crossEntropyOperation } from "../../tensor/composites/cross_entropy.ts"
import { add, exp, less, log, max, mul, sub, where } from "../../tensor/operations/elementwise.ts"
import { gather } from "../../tensor/operations/indexing.ts"
import { matmul, matmulOperation } from "../../tensor/operations/matmul.ts"
import { sum } from "../../tensor/operations/broadcast.ts"
import { maximum } from "../../tensor/operations/reduce.ts"
import { sameShape, sizeOf } from "../../tensor/shape.ts"
import { node as make, type Tensor } from "../../tensor/tensor.ts"
import { narrow, reshape } from "../../tensor/operations/views.ts"
import { allOf } from "../nodes.ts"

/** Logits of more bytes are computed in chunks of about half as many. */
const LIMIT = 16 * 2 ** 20
/** Widths of chunks are multiples of this. */
const STEP = 1024

/** A loss over a product, and the products that take its derivative back to x. */
interface Found {
  readonly loss: Tensor
  readonly x: Tensor
  readonly weight: Tensor
  readonly bias: Tensor | undefined
  readonly labels: Tensor
  /** With the cotangents they were made from. */
  readonly backward: ReadonlyArray<{ readonly product: Tensor; readonly cotangent: Tensor }>
}

/**
 * The same graph with every loss over a large product in chunks.
 *
 * @param limit Bytes of logits that are still computed at once. Default 16 MiB.
 */
export function chunkVocabulary(roots: ReadonlyArray<Tensor>, limit: number = LIMIT): ReadonlyArray<Tensor> {
  const nodes = allOf(roots)
  const found = nodes.filter(({ operation, inputs }) =>
    operation === crossEntropyOperation && 4 * sizeOf(inputs[0].shape) > limit
  )
  if (found.length === 0) return roots
  const usersOf = (node: Tensor) => nodes.filter(({ inputs }) => inputs.includes(node))
  const kept = new Set(roots)
  const changes = found.flatMap((loss) => match(loss, usersOf, kept) ?? [])
  const changed = new Map<Tensor, () => Tensor>()
  /** Replaced nodes. */
  const done = new Map<Tensor, Tensor>()
  const now = (node: Tensor) => done.get(node) ?? node
  for (const change of changes) {
    const { loss, backward } = change
    let parts: Chunked | undefined
    const walk = () => parts ??= inChunks(change, now, limit)
    changed.set(loss, () => walk().loss)
    for (const { product, cotangent } of backward) {
      changed.set(product, () => walk().derivative(now(cotangent)))
    }
  }
  for (const node of nodes) {
    const change = changed.get(node)
    if (change !== undefined) done.set(node, change())
    else if (node.inputs.some((x) => done.has(x))) {
      done.set(node, make(node.operation, node.inputs.map(now), node.shape, node.dtype, node.attributes))
    }
  }
  return roots.map(now)
}

/** The loss with its surroundings, if nothing else needs the logits or their derivative. */
function match(
  loss: Tensor,
  usersOf: (node: Tensor) => ReadonlyArray<Tensor>,
  kept: ReadonlySet<Tensor>,
): Found | undefined {
  const [logits, labels] = loss.inputs
  const [product, bias] = logits.operation === matmulOperation ? [logits, undefined] : logits.inputs
  if (product?.operation !== matmulOperation || !product.attributes.transposeB || product.attributes.transposeA) return
  const [x, weight] = product.inputs
  if (weight.shape.length !== 2) return
  if (bias !== undefined && (logits.operation.name !== "add" || !sameShape(bias.shape, [weight.shape[0]]))) return
  const gradients = usersOf(logits).filter((user) => user !== loss)
  const backward = gradients.flatMap((gradient) =>
    usersOf(gradient).map((product) => ({ product, cotangent: gradient.inputs[2] }))
  )
  const alone =
    gradients.every(({ operation, inputs }) => operation === crossEntropyGradientOperation && inputs[1] === labels) &&
    backward.every(({ product: { operation, attributes, inputs } }) =>
      operation === matmulOperation && inputs[1] === weight && !attributes.transposeA && !attributes.transposeB
    ) && (bias === undefined || usersOf(product).length === 1) &&
    ![logits, product, ...gradients].some((node) => kept.has(node))
  return alone ? { loss, x, weight, bias, labels, backward } : undefined
}

/** What a walk gives. */
interface Chunked {
  readonly loss: Tensor
  /** By x, given the cotangent of the loss. */
  readonly derivative: (cotangent: Tensor) => Tensor
}

function inChunks(found: Found, now: (node: Tensor) => Tensor, limit: number): Chunked {
  const [x, weight, labels] = [found.x, found.weight, found.labels].map(now)
  const bias = found.bias && now(found.bias)
  const [classes] = weight.shape
  const rows = sizeOf(labels.shape)
  const width = Math.max(1, Math.ceil(limit / 2 / (4 * rows) / STEP)) * STEP
  const column = (y: Tensor) => reshape(y, [...labels.shape, 1])
  let state: { readonly top: Tensor; readonly total: Tensor; readonly mean: Tensor } | undefined
  for (let start = 0; start < classes; start += width) {
    const end = Math.min(classes, start + width)
    const part = narrow(weight, 0, start, end)
    const product = matmul(x, part, { transposeB: true })
    const logits = bias === undefined ? product : add(product, narrow(bias, 0, start, end))
    const highest = maximum(logits, [-1], { keepDims: true })
    const top = state ? max(state.top, highest) : highest
    const powers = exp(sub(logits, top))
    const [total, mean] = [sum(powers, [-1], { keepDims: true }), matmul(powers, part)]
    // Computed here, next to its chunk; without derivatives it is unused and left out.
    const fade = state && exp(sub(state.top, top))
    state = state && fade
      ? { top, total: add(total, mul(state.total, fade)), mean: add(mean, mul(state.mean, fade)) }
      : { top, total, mean }
  }
  const { top, total, mean } = state!
  const masked = less(labels, 0)
  const places = where(masked, 0, labels)
  const row = gather(weight, places)
  const hit = sum(mul(x, row), [-1])
  const own = bias === undefined ? hit : add(hit, reshape(gather(reshape(bias, [classes, 1]), places), labels.shape))
  const logSum = reshape(add(log(total), top), labels.shape)
  return {
    loss: where(masked, 0, sub(logSum, own)),
    derivative: (cotangent) =>
      mul(sub(mul(mean, exp(sub(top, column(logSum)))), row), column(where(masked, 0, cotangent))),
  }
}
