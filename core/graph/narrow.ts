/**
 * Computes of each value no more than somebody looks at: a classifier that reads the first token needs the last layer's
 * queries, output and feed-forward at that token alone. Taken before derivatives, it saves their work too.
 * @module
 */
import { activationOperations } from "../tensor/composites/activations.ts"
import { attentionInputs, attentionOperation } from "../tensor/composites/attention.ts"
import { crossEntropyOperation } from "../tensor/composites/cross_entropy.ts"
import { layerNormOperation } from "../tensor/composites/layer_norm.ts"
import { rmsNormOperation } from "../tensor/composites/rms_norm.ts"
import { rotaryOperation } from "../tensor/composites/rotary.ts"
import { softmaxOperation } from "../tensor/composites/softmax.ts"
import { add } from "../tensor/elementwise.ts"
import { gather, gatherOperation } from "../tensor/indexing.ts"
import { full, fullOperation, iota, iotaOperation } from "../tensor/leaves.ts"
import { matmulOperation } from "../tensor/matmul.ts"
import { reduceOperation } from "../tensor/reduce.ts"
import { type Shape, sizeOf } from "../tensor/shape.ts"
import { node as make, type Operation, type Tensor } from "../tensor/tensor.ts"
import { allOf } from "./_nodes.ts"
import {
  expand,
  expandOperation,
  narrow,
  permute,
  permuteOperation,
  reshape,
  reshapeOperation,
  sliceOperation,
  stopGradientOperation,
} from "../tensor/views.ts"

/** What is looked at along an axis: from a first place to an end, or at places that are told at run time (i32 [count]). */
type Range = readonly [number, number] | Tensor
/** The part of a value that is looked at, a range for each axis. */
type Box = ReadonlyArray<Range>

/** Which parts of its inputs a node needs for a part of its value; undefined where it must be computed whole. */
type Rule = (node: Tensor, box: Box) => ReadonlyArray<Box> | undefined

const whole = (shape: Shape): Box => shape.map((extent) => [0, extent])
const isPlaces = (range: Range): range is Tensor => "operation" in range
const extentOf = (range: Range): number => isPlaces(range) ? range.shape[0] : range[1] - range[0]
const sameRange = (a: Range, b: Range) => a === b || (!isPlaces(a) && !isPlaces(b) && a[0] === b[0] && a[1] === b[1])
const same = (a: Box, b: Box) => a.every((range, axis) => sameRange(range, b[axis]))
/** What two look at along an axis of an extent. */
const both = (a: Range, b: Range, extent: number): Range =>
  sameRange(a, b) ? a : isPlaces(a) || isPlaces(b) ? [0, extent] : [Math.min(a[0], b[0]), Math.max(a[1], b[1])]
/** The part of an operand that is broadcast to `box`. */
const broadcast = (shape: Shape, box: Box): Box =>
  shape.map((extent, axis) => extent === 1 ? [0, 1] : box[box.length - shape.length + axis])
const isWhole = ({ shape }: Tensor, box: Box, axis: number) => {
  const range = box[axis]
  return !isPlaces(range) && range[0] === 0 && range[1] === shape[axis]
}
const isAll = (node: Tensor, box: Box) => box.every((_, axis) => isWhole(node, box, axis))

const elementwise: Rule = ({ inputs }, box) => inputs.map((x) => broadcast(x.shape, box))
/** Of the last axis all is needed; further operands are broadcast. */
const byRow: Rule = (node, box) => isWhole(node, box, box.length - 1) ? elementwise(node, box) : undefined

const rules = new Map<Operation, Rule>([
  [stopGradientOperation, elementwise],
  [expandOperation, elementwise],
  ...activationOperations.map((operation) => [operation, elementwise] as const),
  [softmaxOperation, byRow],
  [layerNormOperation, byRow],
  [rmsNormOperation, byRow],
  [rotaryOperation, (node, box) => {
    const [x, cos] = node.inputs
    const table = [box.at(-2)!, [0, cos.shape[1]]] as const
    return isWhole(node, box, x.shape.length - 1) ? [box, table, table] : undefined
  }],
  [crossEntropyOperation, ({ inputs: [logits] }, box) => [[...box, [0, logits.shape.at(-1)!]], box]],
  [sliceOperation, ({ attributes, shape, inputs: [x] }, box) => {
    const starts = attributes.starts as ReadonlyArray<number>
    // Places in a slice that is not the whole axis would have to be moved.
    if (box.some((range, axis) => isPlaces(range) && shape[axis] !== x.shape[axis])) return
    return [box.map((range, axis) => isPlaces(range) ? range : [range[0] + starts[axis], range[1] + starts[axis]])]
  }],
  [permuteOperation, ({ attributes }, box) => {
    const order = attributes.order as ReadonlyArray<number>
    return [order.map((_, axis) => box[order.indexOf(axis)])]
  }],
  [reshapeOperation, ({ inputs: [x], shape }, box) => {
    const own = reshaped(shape, box, x.shape)
    return own && [own]
  }],
  [reduceOperation, ({ inputs: [x], attributes }, box) => {
    const axes = attributes.axes as ReadonlyArray<number>
    return [box.map((range, axis) => axes.includes(axis) ? [0, x.shape[axis]] : range)]
  }],
  [gatherOperation, (node, box) => {
    const [table, indices] = node.inputs
    if (!isWhole(node, box, box.length - 1)) return
    const ofIndices = box.slice(0, -1)
    const [count] = indices.shape
    const sought = table.inputs.length > 0 && indices.shape.length === 1 && count < table.shape[0] &&
      same(ofIndices, whole(indices.shape))
    return [sought ? [indices, [0, table.shape[1]]] : whole(table.shape), ofIndices]
  }],
  [matmulOperation, ({ inputs: [a, b], attributes }, box) => {
    const sides = [[a, attributes.transposeA, 0], [b, attributes.transposeB, 1]] as const
    return sides.map(([x, transposed, side]) => {
      const own = broadcast(x.shape.slice(0, -2), box.slice(0, -2))
      const [rows, columns] = x.shape.slice(-2)
      const kept = box[box.length - 2 + side]
      // Kept is m of a, n of b; the other axis is summed over.
      return (side === 0) === Boolean(transposed)
        ? [...own, [0, rows] as const, kept]
        : [...own, kept, [0, columns] as const]
    })
  }],
  [attentionOperation, (node, box) => {
    const [batch, queries] = box
    if (!isWhole(node, box, 2) || !isWhole(node, box, 3)) return
    return Object.entries(attentionInputs(node)).map(([name, { shape }]): Box =>
      broadcast(
        shape,
        name === "queryPositions"
          ? [batch, queries]
          : ["q", "bias", "factor"].includes(name)
          ? [batch, [0, shape[1]], queries, [0, shape[3]]]
          : [batch, ...whole(shape).slice(1)],
      )
    )
  }],
])

/** A box of `shape` as one of the same elements in the shape `from`, where it stays a box. */
function reshaped(shape: Shape, box: Box, from: Shape): Box | undefined {
  if (sizeOf(shape) === 0) return
  const result: Array<Range> = from.map(() => [0, 1])
  // Axes of one element are nowhere in particular.
  const many = (extents: Shape) => [...extents.keys()].filter((axis) => extents[axis] !== 1)
  const [olds, news] = [many(from), many(shape)]
  if (box.some((range, axis) => shape[axis] === 1 && isPlaces(range))) return
  let axis = 0
  for (let old = 0; old < olds.length;) {
    // The shortest runs of axes, old and new, with the same number of elements.
    const [firstOld, firstNew] = [old, axis]
    let [sizeOld, sizeNew] = [from[olds[old++]], shape[news[axis++]]]
    while (sizeOld !== sizeNew) {
      if (sizeOld < sizeNew) sizeOld *= from[olds[old++]]
      else sizeNew *= shape[news[axis++]]
    }
    const [ownOlds, ownNews] = [olds.slice(firstOld, old), news.slice(firstNew, axis)]
    if (ownNews.every((at) => sameRange(box[at], [0, shape[at]]))) ownOlds.forEach((at) => result[at] = [0, from[at]])
    else if (ownOlds.length === 1 && ownNews.length === 1) result[ownOlds[0]] = box[ownNews[0]]
    else return
  }
  return result
}

/** Operations that are nothing but a part of their input: what is seen of them is seen of that. */
const parts = new Set<Operation>([sliceOperation, gatherOperation])

/**
 * The same values, of whose parts no more is computed than they need. Nodes are kept where all of them is needed.
 */
export function narrowed(roots: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> {
  const nodes = allOf(roots)
  const cutting = nodes.filter(({ operation }) => parts.has(operation))
  if (cutting.length === 0) return roots
  /** What parts are taken of, and all below: of all else everything is needed. */
  const below = new Set<Tensor>()
  for (const node of nodes.toReversed()) {
    if (parts.has(node.operation) || below.has(node)) node.inputs.forEach((x) => below.add(x))
  }
  const boxes = new Map<Tensor, Box>()
  const all = new Set<Tensor>()
  const lookAtAll = (node: Tensor) => below.has(node) && all.add(node)
  const isNeededWhole = (node: Tensor) => !below.has(node) || all.has(node)
  const boxOf = (node: Tensor): Box => isNeededWhole(node) ? whole(node.shape) : boxes.get(node)!
  const look = (node: Tensor, box: Box): void => {
    if (isNeededWhole(node)) return
    const before = boxes.get(node)
    boxes.set(node, before?.map((range, axis) => both(range, box[axis], node.shape[axis])) ?? box)
  }
  roots.forEach(lookAtAll)
  /** The parts of its inputs that a node needs. */
  const needed = (node: Tensor): ReadonlyArray<Box> | undefined => {
    if (!parts.has(node.operation) && isNeededWhole(node)) return
    const box = boxOf(node)
    if (!parts.has(node.operation) && isAll(node, box)) return
    const rule = "elementwise" in node.operation ? elementwise : rules.get(node.operation)
    return rule?.(node, box)
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
  /** Nodes that are another now. */
  const changed = new Map<Tensor, Tensor>()
  const made = (node: Tensor) => changed.get(node) ?? node
  const taken = new Map<Tensor, Array<{ readonly box: Box; readonly part: Tensor }>>()
  /** A part of a node, from the part that was made; the same one for all who look at it. */
  const partOf = (node: Tensor, box: Box): Tensor => {
    const own = boxOf(node)
    if (same(own, box)) return made(node)
    const known = taken.get(node) ?? []
    const found = known.find((other) => same(other.box, box))
    if (found !== undefined) return found.part
    const part = box.reduce<Tensor>((x, range, axis) => {
      if (sameRange(own[axis], range)) return x
      if (isPlaces(range)) return take(x, axis, range)
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
    const wanted = found ?? node.inputs.map((x) => whole(x.shape))
    if (node.operation === gatherOperation && isPlaces(wanted[0][0])) {
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
  if (isPlaces(range)) return expand(reshape(range, shape.map((extent, at) => at === axis ? extent : 1)), shape)
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
