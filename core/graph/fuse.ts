/**
 * Groups nodes into units: what one kernel call computes. Elementwise nodes and reductions along the last axis that
 * share a space of places go together; everything else is a unit of its own.
 * @module
 */
import { constantOperation, fullOperation, inputOperation, iotaOperation, slotOperation } from "../tensor/leaves.ts"
import { matmulOperation } from "../tensor/matmul.ts"
import { reduceOperation } from "../tensor/reduce.ts"
import { sameShape, type Shape } from "../tensor/shape.ts"
import { node as make, type Operation, type Tensor } from "../tensor/tensor.ts"
import { Dependencies } from "./_dependencies.ts"
import { contiguous, type Layout, viewOf } from "./layout.ts"
import { allOf } from "./_nodes.ts"
import { isElementwise } from "./simplify.ts"

/** The identity that gives a view memory of its own. */
export const copyOperation: Operation & { readonly elementwise: true } = { name: "copy", elementwise: true }

/** What one kernel call (or a few, for a concat) computes. */
export interface Unit {
  /** Grows with each unit that is begun. */
  readonly number: number
  /** Members in the order of their making. Units of kind "rows", and those of some kernels, may have many. */
  readonly nodes: Tensor[]
  readonly kind: "rows" | "columns" | "other"
  /** Places that a "rows" unit goes over. */
  readonly space: Shape
  /** A product of the shape `space` whose elements the members take as they come: the unit is its epilogue. */
  product?: Tensor
}

/** A graph in units, in an order that can run. */
export interface Fused {
  readonly units: ReadonlyArray<Unit>
  /** Where each node's elements lie. */
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

/** Whether a node is made of its coordinates alone, so that every kernel writes it anew. */
export function isGenerator(node: Tensor): boolean {
  return generators.has(node.operation)
}

/** Whether a node is a reduction along the last axis alone. */
export function isRowReduce(node: Tensor): boolean {
  const axes = node.attributes.axes as number[]
  return node.operation === reduceOperation && axes.length === 1 && axes[0] === node.shape.length - 1
}

/** Groups the nodes that `roots` rest on. The graph must be simplified. */
export function fuse(roots: ReadonlyArray<Tensor>): Fused {
  const layouts = new Map<Tensor, Layout>()
  const unitOf = new Map<Tensor, Unit>()
  const units = new Set<Unit>()
  const order = new Dependencies<Unit>()
  const copies = new Map<Tensor, Tensor>()
  /** Units of several results, by kernel and inputs. */
  const joint = new Map<string, Unit>()

  /** The unit that must run before a node can be used. */
  const sourceOf = (node: Tensor): Unit | undefined => {
    const base = layouts.get(node)?.base ?? node
    return isGenerator(base) ? undefined : unitOf.get(base)
  }
  const join = (node: Tensor, unit: Unit): void => {
    unit.nodes.push(node)
    unitOf.set(node, unit)
    layouts.set(node, contiguous(node))
    for (const x of node.inputs) {
      const source = sourceOf(x)
      if (source !== undefined && source !== unit) order.need(unit, source)
    }
  }
  let begun = 0
  const begin = (node: Tensor, kind: Unit["kind"], space: Shape): Unit => {
    const unit: Unit = { number: begun++, nodes: [], kind, space }
    units.add(unit)
    order.add(unit)
    join(node, unit)
    return unit
  }
  /** Whether a member of `upper` reads one of `lower` at another place than its own. */
  const looks = (upper: Unit, lower: Unit): boolean =>
    upper.nodes.some((node) => node.inputs.some((x) => !unitOf.has(x) && sourceOf(x) === lower))
  /** Whether `upper` may run as one with `lower`: nothing between them would have to run after one, before the other. */
  const mergeable = (upper: Unit, lower: Unit): boolean =>
    [[upper, lower], [lower, upper]].every(([from, to]) => !looks(from, to) && !order.restsBetween(from, to))
  const merge = (into: Unit, other: Unit): void => {
    into.nodes.push(...other.nodes)
    into.nodes.sort((a, b) => a.id - b.id)
    for (const node of other.nodes) unitOf.set(node, into)
    units.delete(other)
    order.merge(into, other)
  }
  const place = (node: Tensor): void => {
    const { kernel } = node.operation
    if (kernel !== undefined) {
      const { of: _, ...attributes } = node.attributes
      const key = `${kernel}(${node.inputs.map((x) => x.id)}) ${JSON.stringify(attributes)}`
      const unit = joint.get(key)
      if (unit !== undefined) join(node, unit)
      else joint.set(key, begin(node, "other", node.shape))
      return
    }
    const space = isRowReduce(node) ? node.inputs[0].shape : node.shape
    // Computed again, later: not beside what it is made of.
    if (node.attributes.apart) return void begin(node, "rows", space)
    if (!isElementwise(node) && !isRowReduce(node)) {
      begin(node, node.operation === reduceOperation ? "columns" : "other", space)
      return
    }
    const external: { x: Tensor; unit: Unit }[] = []
    for (const x of node.inputs) {
      const unit = sourceOf(x)
      if (unit !== undefined) external.push({ x, unit })
    }
    const fits = (unit: Unit) =>
      unit.kind === "rows" &&
      (sameShape(unit.space, space) || (isElementwise(node) && sameShape(rowShape(unit.space), space))) &&
      external.every(({ x, unit: other }) => other === unit ? unitOf.has(x) : !order.rests(other, unit))
    const candidates: Unit[] = []
    for (const { x, unit } of external) if (unitOf.has(x) && !candidates.includes(unit)) candidates.push(unit)
    candidates.sort((a, b) => b.number - a.number)
    const unit = candidates.find(fits)
    if (unit === undefined) {
      begin(node, "rows", space)
      return
    }
    join(node, unit)
    // What it joins together place by place may run as one; values of whole rows are no reason to keep two spaces alive.
    for (const other of candidates) {
      const alike = other !== unit && other.kind === "rows" && sameShape(other.space, unit.space) &&
        external.some(({ x, unit }) => unit === other && sameShape(x.shape, other.space))
      if (alike && mergeable(unit, other)) merge(unit, other)
    }
  }

  /** Makes an elementwise unit the epilogue of the last product that it reads place by place, if one allows it. */
  const absorb = (unit: Unit): void => {
    const { nodes, kind, space } = unit
    if (kind !== "rows" || !nodes.every((n) => isElementwise(n) && n.dtype === "f32" && sameShape(n.shape, space))) {
      return
    }
    const able: Unit[] = []
    for (const node of nodes) {
      for (const x of node.inputs) {
        if (x.operation !== matmulOperation || !sameShape(x.shape, space)) continue
        const other = unitOf.get(x)!
        if (other.nodes[0] === x && !looks(unit, other) && !order.restsBetween(unit, other)) able.push(other)
      }
    }
    if (able.length === 0) return
    const last = able.reduce((a, b) => b.number > a.number ? b : a)
    const [product] = last.nodes
    merge(unit, last)
    unit.nodes.splice(unit.nodes.indexOf(product), 1)
    unit.product = product
  }

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
      // A view of a generator has no memory to look at.
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
  for (const unit of units) absorb(unit)
  return { units: schedule(units, order), layouts, unitOf }
}

const rowShape = (space: Shape) => space.map((extent, axis) => axis === space.length - 1 ? 1 : extent)

const viewNames = new Set(["reshape", "permute", "slice", "flip", "expand"])
/** Whether a node is another look at its input's elements. */
export function isView(node: Tensor): boolean {
  return viewNames.has(node.operation.name)
}

/**
 * Units in an order that can run, near the order in which the graph was written: each where its last member stands, or
 * where it is first needed. (Where its first one stands, all that a late member needs would have to run early, and wait.)
 */
function schedule(units: ReadonlySet<Unit>, order: Dependencies<Unit>): ReadonlyArray<Unit> {
  const scheduled: Unit[] = []
  const last = new Map([...units].map((unit) => [unit, unit.nodes.reduce((id, node) => Math.max(id, node.id), 0)]))
  const inOrder = (some: Iterable<Unit>) => [...some].sort((a, b) => last.get(a)! - last.get(b)!)
  const done = new Set<Unit>()
  const visit = (unit: Unit): void => {
    if (done.has(unit)) return
    done.add(unit)
    for (const need of inOrder(order.needsOf(unit))) visit(need)
    scheduled.push(unit)
  }
  for (const unit of inOrder(units)) visit(unit)
  return scheduled
}
