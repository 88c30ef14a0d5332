/**
 * Computes of each value no more than somebody looks at: a classifier that reads the first token needs the last layer's
 * queries, output and feed-forward at that token alone. Taken before derivatives, it saves their work too.
 * @module
 */
import { activationOperations } from "../tensor/composites/activations.ts"
import { attentionOperation } from "../tensor/composites/attention.ts"
import { crossEntropyOperation } from "../tensor/composites/cross_entropy.ts"
import { layerNormOperation } from "../tensor/composites/layer_norm.ts"
import { rmsNormOperation } from "../tensor/composites/rms_norm.ts"
import { rotaryOperation } from "../tensor/composites/rotary.ts"
import { softmaxOperation } from "../tensor/composites/softmax.ts"
import { add } from "../tensor/elementwise.ts"
import { gatherOperation } from "../tensor/indexing.ts"
import { full, fullOperation, iota, iotaOperation } from "../tensor/leaves.ts"
import { matmulOperation } from "../tensor/matmul.ts"
import { reduceOperation } from "../tensor/reduce.ts"
import { type Shape, sizeOf } from "../tensor/shape.ts"
import { node as make, type Operation, type Tensor } from "../tensor/tensor.ts"
import {
  expandOperation,
  permuteOperation,
  reshapeOperation,
  slice,
  sliceOperation,
  stopGradientOperation,
} from "../tensor/views.ts"

/** First place and end along an axis. */
type Range = readonly [number, number]
/** The part of a value that is looked at, a range for each axis. */
type Box = ReadonlyArray<Range>

/** Which parts of its inputs a node needs for a part of its value; undefined where it must be computed whole. */
type Rule = (node: Tensor, box: Box) => ReadonlyArray<Box> | undefined

const whole = (shape: Shape): Box => shape.map((extent) => [0, extent])
const same = (a: Box, b: Box) => a.every(([start, end], axis) => start === b[axis][0] && end === b[axis][1])
/** The part of an operand that is broadcast to `box`. */
const broadcast = (shape: Shape, box: Box): Box =>
  shape.map((extent, axis) => extent === 1 ? [0, 1] : box[box.length - shape.length + axis])
const isWhole = ({ shape }: Tensor, box: Box, axis: number) => box[axis][1] - box[axis][0] === shape[axis]

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
  [sliceOperation, ({ attributes }, box) => {
    const starts = attributes.starts as ReadonlyArray<number>
    return [box.map(([start, end], axis) => [start + starts[axis], end + starts[axis]])]
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
  [
    gatherOperation,
    (node, box) => isWhole(node, box, box.length - 1) ? [whole(node.inputs[0].shape), box.slice(0, -1)] : undefined,
  ],
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
    const [q, k, v, mask, ...factor] = node.inputs
    const [batch, queries] = box
    if (!isWhole(node, box, 2) || !isWhole(node, box, 3)) return
    const ofKeys = ({ shape }: Tensor): Box => [batch, ...whole(shape).slice(1)]
    const seen = broadcast(mask.shape, [batch, queries, [0, k.shape[2]]])
    const some = ({ shape }: Tensor): Box => [batch, [0, shape[1]], queries, [0, shape[3]]]
    return [some(q), ofKeys(k), ofKeys(v), seen, ...factor.map(some)]
  }],
])

/** A box of `shape` as one of the same elements in the shape `from`, where it stays a box. */
function reshaped(shape: Shape, box: Box, from: Shape): Box | undefined {
  if (sizeOf(shape) === 0) return
  const result: Array<Range> = []
  let axis = 0
  for (let old = 0; old < from.length;) {
    // The shortest runs of axes, old and new, with the same number of elements.
    const [firstOld, firstNew] = [old, axis]
    let [sizeOld, sizeNew] = [from[old++], axis < shape.length ? shape[axis++] : 1]
    while (sizeOld !== sizeNew) {
      if (sizeOld < sizeNew) sizeOld *= from[old++]
      else sizeNew *= shape[axis++]
    }
    const olds = from.slice(firstOld, old)
    const cut = box.slice(firstNew, axis).findIndex(([start, end], i) => end - start !== shape[firstNew + i])
    if (cut < 0) result.push(...whole(olds))
    else if (olds.length === 1 && axis - firstNew === 1) result.push(box[firstNew])
    else return
  }
  return result
}

/**
 * The same values, of whose parts no more is computed than they need. Nodes are kept where all of them is needed.
 */
export function narrowed(roots: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> {
  const open = new Set<Tensor>(roots)
  for (const node of open) for (const x of node.inputs) open.add(x)
  const nodes = [...open].sort((a, b) => a.id - b.id)
  if (!nodes.some(({ operation }) => operation === sliceOperation)) return roots
  const boxes = new Map<Tensor, Box>(roots.map((root) => [root, whole(root.shape)]))
  const look = (node: Tensor, box: Box): void => {
    const before = boxes.get(node)
    boxes.set(
      node,
      before?.map(([start, end], axis) => [Math.min(start, box[axis][0]), Math.max(end, box[axis][1])]) ?? box,
    )
  }
  for (const node of nodes.toReversed()) {
    const box = boxes.get(node)!
    const rule = "elementwise" in node.operation ? elementwise : rules.get(node.operation)
    const parts = same(box, whole(node.shape)) && node.operation !== sliceOperation ? undefined : rule?.(node, box)
    if (parts === undefined && !isGenerator(node)) boxes.set(node, whole(node.shape))
    node.inputs.forEach((x, i) => look(x, parts?.[i] ?? whole(x.shape)))
  }
  const made = new Map<Tensor, Tensor>()
  /** A part of a node, from the part that was made. */
  const partOf = (node: Tensor, box: Box): Tensor => {
    const own = boxes.get(node)!
    const [result, shape] = [made.get(node)!, box.map(([start, end]) => end - start)]
    return same(own, box) ? result : slice(result, box.map(([start], axis) => start - own[axis][0]), shape)
  }
  for (const node of nodes) {
    const box = boxes.get(node)!
    const shape = box.map(([start, end]) => end - start)
    const cut = !same(box, whole(node.shape))
    if (node.inputs.length === 0) {
      made.set(node, cut ? generatorPart(node, box, shape) : node)
      continue
    }
    if (node.operation === sliceOperation) {
      made.set(node, partOf(node.inputs[0], rules.get(sliceOperation)!(node, box)![0]))
      continue
    }
    const rule = "elementwise" in node.operation ? elementwise : rules.get(node.operation)
    const parts = cut ? rule!(node, box)! : node.inputs.map((x) => whole(x.shape))
    const inputs = node.inputs.map((x, i) => partOf(x, parts[i]))
    const kept = !cut && inputs.every((x, i) => x === node.inputs[i])
    made.set(node, kept ? node : make(node.operation, inputs, shape, node.dtype, node.attributes))
  }
  return roots.map((root) => made.get(root)!)
}

const isGenerator = ({ operation }: Tensor) => operation === fullOperation || operation === iotaOperation

function generatorPart({ operation, attributes, dtype }: Tensor, box: Box, shape: Shape): Tensor {
  if (operation === fullOperation) return full(attributes.value as number, shape, dtype)
  const axis = attributes.axis as number
  const [start] = box[axis]
  return start === 0 ? iota(shape, axis) : add(iota(shape, axis), start)
}
