/**
 * Computes only the part of each value that is used: a classifier that reads the first token needs the last layer's
 * queries, output and feed-forward at that token alone. Taken before derivatives, it saves their work too.
 * @module
 */
import { isIndices, isWholeAxis, sameBox, sameRange, wholeBox } from "../../tensor/box.ts"
import { add } from "../../tensor/operations/elementwise.ts"
import { gather, gatherOperation } from "../../tensor/operations/indexing.ts"
import { full, fullOperation, iota, iotaOperation } from "../../tensor/operations/leaves.ts"
import type { Shape } from "../../tensor/shape.ts"
import { type Box, node as make, type Operation, type Range, type Tensor } from "../../tensor/tensor.ts"
import { expand } from "../../tensor/operations/broadcast.ts"
import { narrow, permute, reshape, sliceOperation } from "../../tensor/operations/views.ts"
import { allOf } from "../nodes.ts"

const extentOf = (range: Range): number => isIndices(range) ? range.shape[0] : range[1] - range[0]
/** The smallest range that covers both. */
const unionRange = (a: Range, b: Range, extent: number): Range =>
  sameRange(a, b) ? a : isIndices(a) || isIndices(b) ? [0, extent] : [Math.min(a[0], b[0]), Math.max(a[1], b[1])]
const isAll = (node: Tensor, box: Box) => box.every((_, axis) => isWholeAxis(node, box, axis))

/** Operations that only select a part of their input. */
const parts = new Set<Operation>([sliceOperation, gatherOperation])

/** The same values; of each node, only the part that is used is computed. */
export function narrowed(roots: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> {
  const nodes = allOf(roots)
  const cutting = nodes.filter(({ operation }) => parts.has(operation))
  if (cutting.length === 0) return roots
  /** Inputs of the parts, and everything below: all other nodes are needed whole. */
  const below = new Set<Tensor>()
  for (const node of nodes.toReversed()) {
    if (parts.has(node.operation) || below.has(node)) node.inputs.forEach((x) => below.add(x))
  }
  const boxes = new Map<Tensor, Box>()
  const all = new Set<Tensor>()
  const lookAtAll = (node: Tensor) => below.has(node) && all.add(node)
  const isNeededWhole = (node: Tensor) => !below.has(node) || all.has(node)
  const boxOf = (node: Tensor): Box => isNeededWhole(node) ? wholeBox(node.shape) : boxes.get(node)!
  const look = (node: Tensor, box: Box): void => {
    if (isNeededWhole(node)) return
    const before = boxes.get(node)
    boxes.set(node, before?.map((range, axis) => unionRange(range, box[axis], node.shape[axis])) ?? box)
  }
  roots.forEach(lookAtAll)
  /** The parts of its inputs that a node needs. */
  const needed = (node: Tensor): ReadonlyArray<Box> | undefined => {
    if (!parts.has(node.operation) && isNeededWhole(node)) return
    const box = boxOf(node)
    if (!parts.has(node.operation) && isAll(node, box)) return
    return node.operation.slice?.(node, box)
  }
  for (const node of nodes.toReversed()) {
    const found = needed(node)
    if (found !== undefined) {
      node.inputs.forEach((x, i) => look(x, found[i]))
      continue
    }
    if (!isGenerator(node)) lookAtAll(node)
    node.inputs.forEach(lookAtAll)
  }
  if (cutting.every(({ operation }) => operation !== sliceOperation) && [...below].every(isNeededWhole)) return roots
  /** Replaced nodes. */
  const changed = new Map<Tensor, Tensor>()
  const made = (node: Tensor) => changed.get(node) ?? node
  const taken = new Map<Tensor, Array<{ readonly box: Box; readonly part: Tensor }>>()
  /** A part of a node, taken from its computed part; equal parts are one node. */
  const partOf = (node: Tensor, box: Box): Tensor => {
    const own = boxOf(node)
    if (sameBox(own, box)) return made(node)
    const known = taken.get(node) ?? []
    const found = known.find((other) => sameBox(other.box, box))
    if (found !== undefined) return found.part
    const part = box.reduce<Tensor>((x, range, axis) => {
      if (sameRange(own[axis], range)) return x
      if (isIndices(range)) return take(x, axis, range)
      const first = (own[axis] as readonly [number, number])[0]
      return narrow(x, axis, range[0] - first, range[1] - first)
    }, made(node))
    taken.set(node, [...known, { box, part }])
    return part
  }
  for (const node of nodes) {
    if (isNeededWhole(node) && !parts.has(node.operation)) {
      if (!node.inputs.some((x) => changed.has(x))) continue
      changed.set(node, make(node.operation, node.inputs.map(made), node.shape, node.dtype, node.attributes))
      continue
    }
    const box = boxOf(node)
    const shape = box.map(extentOf)
    const cut = !isAll(node, box)
    if (node.inputs.length === 0) {
      if (cut) changed.set(node, generatorPart(node, box, shape))
      continue
    }
    const found = needed(node)
    if (node.operation === sliceOperation && found !== undefined) {
      changed.set(node, partOf(node.inputs[0], found[0]))
      continue
    }
    const wanted = found ?? node.inputs.map((x) => wholeBox(x.shape))
    if (node.operation === gatherOperation && isIndices(wanted[0][0])) {
      changed.set(node, partOf(node.inputs[0], wanted[0]))
      continue
    }
    const inputs = node.inputs.map((x, i) => partOf(x, wanted[i]))
    if (!cut && inputs.every((x, i) => x === node.inputs[i])) continue
    changed.set(node, make(node.operation, inputs, shape, node.dtype, node.attributes))
  }
  return roots.map(made)
}

const isGenerator = ({ operation }: Tensor) => operation === fullOperation || operation === iotaOperation

function generatorPart({ operation, attributes, dtype }: Tensor, box: Box, shape: Shape): Tensor {
  if (operation === fullOperation) return full(attributes.value as number, shape, dtype)
  const axis = attributes.axis as number
  const range = box[axis]
  if (isIndices(range)) return expand(reshape(range, shape.map((extent, at) => at === axis ? extent : 1)), shape)
  return range[0] === 0 ? iota(shape, axis) : add(iota(shape, axis), range[0])
}

/** Places of an axis: the rows of a table. */
function take(x: Tensor, axis: number, places: Tensor): Tensor {
  const order = [axis, ...[...x.shape.keys()].filter((other) => other !== axis)]
  const lines = permute(x, order)
  const table = reshape(lines, [x.shape[axis], -1])
  const rows = reshape(gather(table, places), [places.shape[0], ...lines.shape.slice(1)])
  return permute(rows, order.map((_, at) => order.indexOf(at)))
}
