/**
 * Groups nodes into units: what one kernel call computes. Elementwise nodes and reductions along the last axis that
 * share a space of places go together; everything else is a unit of its own, or of the nodes that its kernel joins.
 * @module
 */
import {
  constantOperation,
  fullOperation,
  inputOperation,
  iotaOperation,
  slotOperation,
} from "../../tensor/operations/leaves.ts"
import { isReduction } from "../../tensor/operations/reduce.ts"
import { sameShape, type Shape } from "../../tensor/shape.ts"
import { node as make, type Operation, type Tensor } from "../../tensor/tensor.ts"
import { attributeTexts } from "./attribute_texts.ts"
import { Grouping, type Unit } from "./grouping.ts"
import { kernelFor } from "./kernel_for.ts"
import { contiguous, type Layout, viewOf } from "../layout.ts"
import { allOf } from "../nodes.ts"
import { isElementwise } from "../rewrite/simplify.ts"

export type { Unit } from "./grouping.ts"

/** The identity that gives a view memory of its own. */
export const copyOperation: Operation & { readonly elementwise: true } = { name: "copy", elementwise: true }

/** A graph in units, in an order that can run. */
export interface Fused {
  readonly units: ReadonlyArray<Unit>
  /** Layout of each node. */
  readonly layouts: ReadonlyMap<Tensor, Layout>
  /** The unit that computes a node; leaves have none. */
  readonly unitOf: ReadonlyMap<Tensor, Unit>
}

const leaves = new Set<Operation>([inputOperation, slotOperation, constantOperation])
const generators = new Set<Operation>([fullOperation, iotaOperation])

/** Whether a node has memory without being computed. */
export function isLeaf(node: Tensor): boolean {
  return leaves.has(node.operation)
}

/** Whether a node depends on its coordinates alone, so that each kernel computes it itself. */
export function isGenerator(node: Tensor): boolean {
  return generators.has(node.operation)
}

/** Whether a node is a reduction along the last axis alone. */
function isRowReduce(node: Tensor): boolean {
  const axes = node.attributes.axes as number[]
  return isReduction(node) && axes.length === 1 && axes[0] === node.shape.length - 1
}

/** Groups the nodes that `roots` depend on. The graph must be simplified. */
export function fuse(roots: ReadonlyArray<Tensor>): Fused {
  const grouping = new Grouping()
  const { layouts, unitOf, units } = grouping
  const place = placing(grouping)
  const copies = new Map<Tensor, Tensor>()
  for (const node of allOf(roots)) {
    if (isLeaf(node) || isGenerator(node)) {
      layouts.set(node, contiguous(node))
      continue
    }
    const [first] = node.inputs
    const layout = first && layouts.get(first)
    const view = layout && !isElementwise(node) && viewOf(node, layout)
    if (view !== undefined && view !== false) {
      layouts.set(node, view)
      // A generator has no memory.
      if (!isGenerator(view.base)) continue
    }
    if (isView(node)) {
      let copy = copies.get(first)
      if (copy === undefined) {
        copy = make(copyOperation, [first], first.shape, first.dtype)
        copies.set(first, copy)
        place(copy)
      }
      layouts.set(node, viewOf(node, contiguous(copy))!)
    } else place(node)
  }
  for (const unit of units) absorb(unit, grouping)
  return { units: grouping.schedule(), layouts, unitOf }
}

/** Puts nodes into units in order. */
function placing(grouping: Grouping): (node: Tensor) => void {
  /** Units of several results, by kernel, inputs and attributes. */
  const joint = new Map<string, Unit>()
  const { textOf } = attributeTexts()
  return (node) => {
    const { operation, inputs, attributes, shape } = node
    const joins = kernelFor(operation)?.joins
    if (joins !== undefined) {
      const shared = Object.fromEntries(Object.entries(attributes).filter(([name]) => !joins.includes(name)))
      const key = `${kernelFor(operation)!.name}(${inputs.map((x) => x.id)}) ${textOf(shared)}`
      const unit = joint.get(key)
      if (unit !== undefined) grouping.join(node, unit)
      else joint.set(key, grouping.begin(node, "other", shape))
      return
    }
    const space = isRowReduce(node) ? inputs[0].shape : shape
    // Computed again later: not in the unit of its inputs.
    if (attributes.apart) grouping.begin(node, "rows", space)
    else if (isElementwise(node) || isRowReduce(node)) placeInRows(node, space, grouping)
    else grouping.begin(node, isReduction(node) ? "columns" : "other", space)
  }
}

/** Puts a node into the latest unit of its inputs that it can join, else into a new one. */
function placeInRows(node: Tensor, space: Shape, grouping: Grouping): void {
  const { order, unitOf } = grouping
  const external: { x: Tensor; unit: Unit }[] = []
  for (const x of node.inputs) {
    const unit = grouping.sourceOf(x)
    if (unit !== undefined) external.push({ x, unit })
  }
  const fits = (unit: Unit) =>
    unit.kind === "rows" &&
    (sameShape(unit.space, space) || (isElementwise(node) && sameShape(rowShape(unit.space), space))) &&
    external.every(({ x, unit: other }) => other === unit ? unitOf.has(x) : !order.dependsOn(other, unit))
  const candidates: Unit[] = []
  for (const { x, unit } of external) if (unitOf.has(x) && !candidates.includes(unit)) candidates.push(unit)
  candidates.sort((a, b) => b.number - a.number)
  const unit = candidates.find(fits)
  if (unit === undefined) {
    grouping.begin(node, "rows", space)
    return
  }
  grouping.join(node, unit)
  // What it joins together place by place may run as one; values of whole rows are no reason to keep two spaces alive.
  for (const other of candidates) {
    const alike = other !== unit && other.kind === "rows" && sameShape(other.space, unit.space) &&
      external.some(({ x, unit }) => unit === other && sameShape(x.shape, other.space))
    if (alike && grouping.mergeable(unit, other)) grouping.merge(unit, other)
  }
}

/** Makes an elementwise unit the epilogue of the last result that it reads place by place, of a kernel that takes one. */
function absorb(unit: Unit, grouping: Grouping): void {
  const { nodes, kind, space } = unit
  if (kind !== "rows" || !nodes.every((n) => isElementwise(n) && n.dtype === "f32" && sameShape(n.shape, space))) {
    return
  }
  const able: Unit[] = []
  for (const node of nodes) {
    for (const x of node.inputs) {
      if (kernelFor(x.operation)?.withEpilogue === undefined || !sameShape(x.shape, space)) continue
      const other = grouping.unitOf.get(x)!
      const alone = other.nodes[0] === x && other.nodes.length === 1
      if (alone && !grouping.readsAcross(unit, other) && !grouping.order.dependsThrough(unit, other)) able.push(other)
    }
  }
  if (able.length === 0) return
  const last = able.reduce((a, b) => b.number > a.number ? b : a)
  const [product] = last.nodes
  grouping.merge(unit, last)
  unit.nodes.splice(unit.nodes.indexOf(product), 1)
  unit.product = product
}

const rowShape = (space: Shape) => space.map((extent, axis) => axis === space.length - 1 ? 1 : extent)

/** Whether a node is a view of its input. */
export function isView(node: Tensor): boolean {
  return node.operation.view !== undefined
}
