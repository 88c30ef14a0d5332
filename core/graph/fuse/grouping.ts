import { type Shape, sizeOf } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { Dependencies } from "./dependencies.ts"
import { contiguous, type Layout } from "../layout.ts"

/** What one kernel call (or a few, for a concat) computes. */
export interface Unit {
  /** Order of creation. */
  readonly number: number
  /** Members in the order of their making. Units of kind "rows", and those of some kernels, may have many. */
  readonly nodes: Tensor[]
  readonly kind: "rows" | "columns" | "other"
  /** Places that a "rows" unit goes over. */
  readonly space: Shape
  /** A product of the shape `space` whose elements the members take as they come: the unit is its epilogue. */
  product?: Tensor
}

/** Units under construction, and the order in which they must run. */
export class Grouping {
  /** Layout of each node. */
  readonly layouts = new Map<Tensor, Layout>()
  /** The unit that computes a node; leaves have none. */
  readonly unitOf = new Map<Tensor, Unit>()
  readonly units = new Set<Unit>()
  readonly order = new Dependencies<Unit>()
  #begun = 0

  /** The unit that must run before a node can be used. */
  sourceOf(node: Tensor): Unit | undefined {
    return this.unitOf.get(this.layouts.get(node)?.base ?? node)
  }

  /** Adds a node to a unit. */
  join(node: Tensor, unit: Unit): void {
    unit.nodes.push(node)
    this.unitOf.set(node, unit)
    this.layouts.set(node, contiguous(node))
    for (const x of node.inputs) {
      const source = this.sourceOf(x)
      if (source !== undefined && source !== unit) this.order.need(unit, source)
    }
  }

  /** A new unit with a node. */
  begin(node: Tensor, kind: Unit["kind"], space: Shape): Unit {
    const unit: Unit = { number: this.#begun++, nodes: [], kind, space }
    this.units.add(unit)
    this.order.add(unit)
    this.join(node, unit)
    return unit
  }

  /** Whether a member of `upper` reads a member of `lower` through a view. */
  readsAcross(upper: Unit, lower: Unit): boolean {
    return upper.nodes.some((node) => node.inputs.some((x) => !this.unitOf.has(x) && this.sourceOf(x) === lower))
  }

  /** Whether two units may run as one: no other unit must run between them. */
  mergeable(a: Unit, b: Unit): boolean {
    return [[a, b], [b, a]].every(([from, to]) => !this.readsAcross(from, to) && !this.order.dependsThrough(from, to))
  }

  merge(into: Unit, other: Unit): void {
    into.nodes.push(...other.nodes)
    into.nodes.sort((a, b) => a.id - b.id)
    for (const node of other.nodes) this.unitOf.set(node, into)
    this.units.delete(other)
    this.order.merge(into, other)
  }

  /**
   * Units in an order that can run, near the order of the graph: each at its last member, or where it is first needed.
   * (At its first member, everything that a late member needs would run early, and hold memory.) One that makes little of
   * much runs as soon as it can, so that what it reads may go.
   */
  schedule(): ReadonlyArray<Unit> {
    const place = new Map(
      [...this.units].map((unit) => [unit, unit.nodes.reduce((id, node) => Math.max(id, node.id), 0)]),
    )
    // A product in its place, all else as soon as its inputs are there.
    const ready = new Map<Unit, number>()
    for (const unit of this.#inOrder(place)) {
      const [first] = unit.nodes
      const own = unit.product?.id ?? (unit.kind === "other" ? first.id : 0)
      ready.set(unit, this.order.needsOf(unit).reduce((last, need) => Math.max(last, ready.get(need)!), own))
      if (this.#shrinks(unit)) place.set(unit, Math.min(place.get(unit)!, ready.get(unit)!))
    }
    return this.#inOrder(place)
  }

  /** Units by their places, each after what it needs. */
  #inOrder(place: ReadonlyMap<Unit, number>): ReadonlyArray<Unit> {
    const scheduled: Array<Unit> = []
    const inOrder = (some: Iterable<Unit>) => [...some].sort((a, b) => place.get(a)! - place.get(b)!)
    const begun = new Set<Unit>()
    const visit = (unit: Unit): void => {
      if (begun.has(unit)) return
      begun.add(unit)
      for (const need of inOrder(this.order.needsOf(unit))) visit(need)
      scheduled.push(unit)
    }
    for (const unit of inOrder(this.units)) visit(unit)
    return scheduled
  }

  /** Whether all that a unit makes is at most a quarter of the largest value that it reads from another. */
  #shrinks({ nodes, product }: Unit): boolean {
    const members = new Set(product === undefined ? nodes : [product, ...nodes])
    let largest = 0
    for (const node of members) {
      for (const x of node.inputs) {
        if (!members.has(x) && this.sourceOf(x) !== undefined) largest = Math.max(largest, sizeOf(x.shape))
      }
    }
    return 4 * nodes.reduce((sum, { shape }) => sum + sizeOf(shape), 0) <= largest
  }
}
