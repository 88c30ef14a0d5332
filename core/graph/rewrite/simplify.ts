/**
 * Rewrites a graph into the vocabulary of the kernels: composites become their parts, equal nodes become one, and nodes
 * are simplified.
 * @module
 */
import { add, type ElementwiseOperation } from "../../tensor/operations/elementwise.ts"
import { full, fullOperation } from "../../tensor/operations/leaves.ts"
import { matmul, matmulOperation } from "../../tensor/operations/matmul.ts"
import { scatterAdd, scatterAddOperation } from "../../tensor/operations/indexing.ts"
import {
  batchSum,
  batchSumOperation,
  expand,
  expandOperation,
  sumOperation,
} from "../../tensor/operations/broadcast.ts"
import { isReduction } from "../../tensor/operations/reduce.ts"
import { broadcastShapes, sameShape, type Shape, sizeOf } from "../../tensor/shape.ts"
import { node as make, type Tensor } from "../../tensor/tensor.ts"
import { permute, permuteOperation, reshape, reshapeOperation } from "../../tensor/operations/views.ts"
import { attributeTexts } from "../fuse/attribute_texts.ts"
import { chunkVocabulary } from "./chunk_vocabulary.ts"
import { decompose } from "./decompose.ts"
import { narrowed } from "./narrow.ts"
import { allOf } from "../nodes.ts"

/** Whether a node is an elementwise operation. */
export function isElementwise(node: Tensor): boolean {
  return "elementwise" in node.operation
}

/** The same values in the vocabulary; the order of nodes follows the order in which the graph was written. */
export function simplify(given: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> {
  const roots = chunkVocabulary(narrowed(given))
  const done = new Map<Tensor, Tensor>()
  const known = new Map<number | string, Tensor[]>()
  const { numberOf, textOf } = attributeTexts()
  /** The same for equal nodes, and mostly for them alone. */
  const keyOf = ({ operation, inputs, shape, attributes }: Tensor): number | string => {
    let key = numberOf(operation)
    if (inputs.length === 0) return `${key} ${shape} ${textOf(attributes)}`
    for (const { id } of inputs) key = Math.imul(key, 31) + id | 0
    return key
  }
  const equal = (a: Tensor, b: Tensor): boolean =>
    a.operation === b.operation && a.inputs.length === b.inputs.length && a.inputs.every((x, i) => x === b.inputs[i]) &&
    a.dtype === b.dtype && sameShape(a.shape, b.shape) && textOf(a.attributes) === textOf(b.attributes)
  /** One node for equal operations on equal inputs. */
  const unique = (node: Tensor): Tensor => {
    const key = keyOf(node)
    const others = known.get(key)
    if (others === undefined) known.set(key, [node])
    else {
      for (const other of others) if (other === node || equal(other, node)) return other
      others.push(node)
    }
    return node
  }
  /** Rewrites a node whose inputs are done. */
  const renew = (node: Tensor): void => {
    let same = true
    for (const x of node.inputs) if (done.get(x) !== x) same = false
    const renewed = same
      ? node
      : make(node.operation, node.inputs.map((x) => done.get(x)!), node.shape, node.dtype, node.attributes)
    done.set(node, step(renewed))
  }
  /** Rewrites a node and all nodes that it depends on, in order of creation. */
  const visit = (root: Tensor): Tensor => {
    if (root.inputs.every((x) => done.has(x))) {
      if (!done.has(root)) renew(root)
      return done.get(root)!
    }
    const open = new Set([root])
    for (const { inputs } of open) for (const x of inputs) if (!done.has(x)) open.add(x)
    for (const node of [...open].sort((a, b) => a.id - b.id)) if (!done.has(node)) renew(node)
    return done.get(root)!
  }
  const step = (node: Tensor): Tensor => {
    const first = unique(node)
    if (first !== node) return done.get(first) ?? first
    const better = rewrite(node)
    const result = better === node ? node : visit(better)
    done.set(node, result)
    return result
  }
  // All roots in one sweep, so that nodes keep the order of their making.
  for (const node of allOf(roots)) if (!done.has(node)) renew(node)
  return roots.map((root) => done.get(root)!)
}

function rewrite(node: Tensor): Tensor {
  const { operation } = node
  if (operation === batchSumOperation) return flatten(node) ?? decompose(node)
  if (operation.decompose !== undefined && operation.kernel === undefined) return decompose(node)
  if (operation === reshapeOperation) return simplerReshape(node)
  if (operation === expandOperation) return simplerExpand(node)
  if (operation === permuteOperation && node.inputs[0].operation === fullOperation) {
    return fullLike(node.inputs[0], node.shape)
  }
  if (operation === permuteOperation && node.inputs[0].operation === permuteOperation) {
    const inner = node.inputs[0].attributes.order as number[]
    return permute(node.inputs[0].inputs[0], (node.attributes.order as number[]).map((axis) => inner[axis]))
  }
  if (isReduction(node)) return simplerReduce(node)
  return isElementwise(node) ? simplerElementwise(node) : node
}

const fullLike = (node: Tensor, shape: Shape) => full(node.attributes.value as number, shape, node.dtype)

/** Whether a sum over the batch merges into all that is below. */
const merges = ({ operation, inputs }: Tensor): boolean =>
  operation === matmulOperation || operation === scatterAddOperation || operation.name === "add" && inputs.every(merges)

/** Merges a sum over the batch into the product, scatter or sum below it. */
function flatten(node: Tensor): Tensor | undefined {
  const [x] = node.inputs
  if (x.operation.name === "add" && merges(x)) return add(batchSum(x.inputs[0]), batchSum(x.inputs[1]))
  if (x.operation === matmulOperation) {
    const [a, b] = x.inputs
    const { transposeA, transposeB } = x.attributes
    const whole = sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2)) && a.shape.length === 3
    if (!whole || !transposeA || transposeB) return undefined
    return matmul(reshape(a, [-1, a.shape[2]]), reshape(b, [-1, b.shape[2]]), { transposeA: true })
  }
  if (x.operation === scatterAddOperation && x.attributes.perExample) {
    return scatterAdd(x.inputs[0], x.inputs[1], x.attributes.rows as number)
  }
  const inner = x.operation === reshapeOperation ? x.inputs[0] : x
  const axes = inner.attributes.axes as number[]
  const sums = inner.operation === sumOperation && !axes.includes(0) &&
    inner.shape[0] === x.shape[0]
  if (!sums) return undefined
  const shape = inner.shape.map((extent, axis) => axis === 0 ? 1 : extent)
  const total = make(sumOperation, inner.inputs, shape, inner.dtype, { kind: "sum", axes: [0, ...axes] })
  return reshape(total, node.shape)
}

function simplerReshape(node: Tensor): Tensor {
  const [x] = node.inputs
  if (x.operation === reshapeOperation) return reshape(x.inputs[0], node.shape)
  if (sameShape(x.shape, node.shape)) return x
  return x.operation === fullOperation ? fullLike(x, node.shape) : node
}

function simplerExpand(node: Tensor): Tensor {
  const [x] = node.inputs
  if (sameShape(x.shape, node.shape)) return x
  if (x.operation === expandOperation) return expand(x.inputs[0], node.shape)
  return x.operation === fullOperation ? fullLike(x, node.shape) : node
}

/**
 * Brings a reduction into one of two forms: over the last axis alone, or over axes that leave the last one out (and it
 * is not of extent 1). Kernels know no other.
 */
function simplerReduce(node: Tensor): Tensor {
  const [x] = node.inputs
  const { kind } = node.attributes
  const axes = (node.attributes.axes as number[]).filter((axis) => x.shape[axis] !== 1)
  if (axes.length === 0) return x
  if (x.operation === fullOperation) {
    const count = axes.reduce((n, axis) => n * x.shape[axis], 1)
    const value = x.attributes.value as number
    return full(kind === "sum" ? (count === 0 ? 0 : value * count) : count === 0 ? -Infinity : value, node.shape)
  }
  let end = x.shape.length
  while (x.shape[end - 1] === 1) end--
  let start = end
  while (axes.includes(start - 1) || (start > 0 && start < end && x.shape[start - 1] === 1)) start--
  const rows = x.shape.slice(0, start)
  if (start < end) {
    if (start === x.shape.length - 1 && axes.length === 1) return reduceOver(node, x, axes)
    const flat = reshape(x, [...rows, sizeOf(x.shape.slice(start))])
    const partial = reduceOver(node, flat, [rows.length])
    const rest = axes.filter((axis) => axis < start)
    return reshape(rest.length === 0 ? partial : reduceOver(node, reshape(partial, rows), rest), node.shape)
  }
  if (end < x.shape.length) return reshape(reduceOver(node, reshape(x, x.shape.slice(0, end)), axes), node.shape)
  return axes.length === (node.attributes.axes as number[]).length ? node : reduceOver(node, x, axes)
}

function reduceOver(node: Tensor, x: Tensor, axes: ReadonlyArray<number>): Tensor {
  const shape = x.shape.map((extent, axis) => axes.includes(axis) ? 1 : extent)
  const same = x === node.inputs[0] && sameShape(axes, node.attributes.axes as number[])
  return same ? node : make(node.operation, [x], shape, node.dtype, { kind: node.attributes.kind, axes })
}

function simplerElementwise(node: Tensor): Tensor {
  const plain = node.inputs.every(({ operation }) => operation !== expandOperation && operation !== fullOperation)
  if (plain && node.operation.name !== "neg") return node
  // Operands need no explicit repetition: broadcasting does it.
  const inputs = node.inputs.map((x) =>
    x.operation === expandOperation
      ? x.inputs[0]
      : x.operation === fullOperation && x.shape.length > 0
      ? fullLike(x, [])
      : x
  )
  if (inputs.some((x, i) => x !== node.inputs[i])) {
    const shape = inputs.map((x) => x.shape).reduce(broadcastShapes)
    return expand(make(node.operation, inputs, shape, node.dtype, node.attributes), node.shape)
  }
  if (inputs.every((x) => x.operation === fullOperation)) {
    const values = inputs.map((x) => Float64Array.of(x.attributes.value as number))
    const [value] = (node.operation as ElementwiseOperation).reference!(node, values)
    return full(value, node.shape, node.dtype)
  }
  const is = (x: Tensor | undefined, value: number) => x?.operation === fullOperation && x.attributes.value === value
  const [x, y] = inputs
  const { name } = node.operation
  const kept = name === "mul"
    ? (is(y, 1) ? x : is(x, 1) ? y : undefined)
    : name === "add"
    ? (is(y, 0) ? x : is(x, 0) ? y : undefined)
    : (name === "sub" && is(y, 0)) || (name === "div" && is(y, 1))
    ? x
    : name === "neg" && x.operation.name === "neg"
    ? x.inputs[0]
    : undefined
  return kept === undefined ? node : expand(kept, node.shape)
}
