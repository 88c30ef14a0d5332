import { sizeOf } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { type Fused, isGenerator, isLeaf, type Unit } from "../fuse/fuse.ts"
import { isElementwise } from "./simplify.ts"

/** Which nodes get memory, and which are computed again where they are used. */
export interface Stored {
  readonly stored: ReadonlySet<Tensor>
  /** For each unit that runs, the nodes of others that it computes itself. */
  readonly again: ReadonlyMap<Unit, ReadonlySet<Tensor>>
}

/** Nodes to compute again and nodes to load for an operand. */
interface Plan {
  readonly inlined: Set<Tensor>
  readonly loads: Set<Tensor>
  /** Loads and stores, and what computing again costs beside them. */
  readonly cost: number
}

/**
 * Operations that are written again where they are used, rather than stored, when that needs few loads; and what each
 * costs, where a load of a value costs 1.
 */
const cheap = new Map([
  ...["add", "sub", "mul", "neg", "where", "less", "lessEqual", "equal", "toFloat", "max", "min", "abs"].map((name) =>
    [name, 0] as const
  ),
  ["sigmoid", 0.5],
])
const DEEPEST = 4
/** Fewest elements of operands that are planned together. */
const LARGE = 1 << 16

/** Decides from the last unit to the first, so that only needed values are stored. */
export function decideStored(roots: ReadonlyArray<Tensor>, fused: Fused): Stored {
  const { units, layouts, unitOf } = fused
  const stored = new Set<Tensor>()
  const store = (node: Tensor) => {
    const base = layouts.get(node)?.base ?? node
    if (!isLeaf(base) && !isGenerator(base)) stored.add(base)
  }
  roots.forEach(store)
  for (const { kind, nodes: [first], product } of units) (kind === "other" ? first : product)?.inputs.forEach(store)
  const again = new Map<Unit, Set<Tensor>>()
  for (const unit of units.toReversed()) {
    if (unit.kind === "other" || !unit.nodes.some((node) => stored.has(node))) continue
    const inlined = new Set<Tensor>()
    again.set(unit, inlined)
    const operands = unit.kind === "columns"
      ? unit.nodes[0].inputs
      : [...neededMembers(unit, stored)].flatMap((node) => node.inputs).filter((x) => unitOf.get(x) !== unit)
    const shared = sharedSource(new Set(operands), stored, fused)
    if (shared !== undefined) stored.add(shared)
    for (const operand of operands) {
      const plan = planAgain(operand, stored, fused)
      plan.inlined.forEach((node) => inlined.add(node))
      plan.loads.forEach(store)
    }
  }
  return { stored, again }
}

/** Members of a unit that its stored ones depend on. */
function neededMembers(unit: Unit, stored: ReadonlySet<Tensor>): Set<Tensor> {
  const members = new Set(unit.nodes)
  const needed = new Set(unit.nodes.filter((node) => stored.has(node)))
  for (const node of needed) for (const x of node.inputs) if (members.has(x)) needed.add(x)
  return needed
}

/** Whether a node can be written again where it is used. */
function isAble(node: Tensor, stored: ReadonlySet<Tensor>, { unitOf }: Fused): boolean {
  return isElementwise(node) && cheap.has(node.operation.name) && unitOf.has(node) && !stored.has(node)
}

/**
 * A value that several operands of a unit follow from, if storing it in place of them saves loads and stores: of an
 * activation and its derivative what both were computed from.
 */
function sharedSource(operands: ReadonlySet<Tensor>, stored: Set<Tensor>, fused: Fused): Tensor | undefined {
  const open = [...operands].filter((node) => sizeOf(node.shape) >= LARGE && isAble(node, stored, fused))
  if (open.length < 2) return
  const reached = new Map<Tensor, number>()
  for (const operand of open) {
    const sources = new Set<Tensor>()
    const visit = (node: Tensor, left: number): void => {
      if (left === 0 || !isAble(node, stored, fused)) return
      for (const x of node.inputs) {
        if (isAble(x, stored, fused) && sizeOf(x.shape) === sizeOf(operand.shape)) sources.add(x)
        visit(x, left - 1)
      }
    }
    visit(operand, DEEPEST)
    for (const source of sources) reached.set(source, (reached.get(source) ?? 0) + 1)
  }
  const size = Math.max(...open.map(({ shape }) => sizeOf(shape)))
  /** Cost of all operands together, once `sources` are stored. */
  const costWith = (...sources: ReadonlyArray<Tensor>) => {
    for (const node of sources) stored.add(node)
    const plans = open.map((operand) => planAgain(operand, stored, fused))
    const [inlined, loads] = [new Set<Tensor>(), new Set<Tensor>()]
    for (const plan of plans) {
      plan.inlined.forEach((node) => inlined.add(node))
      plan.loads.forEach((node) => loads.add(node))
    }
    const cost = sources.length + costFor(size, inlined, loads, stored, fused)
    for (const node of sources) stored.delete(node)
    return cost
  }
  let best: Tensor | undefined
  let least = costWith()
  for (const [source, count] of reached) {
    if (count < 2 || operands.has(source)) continue
    const cost = costWith(source)
    if (cost < least) [best, least] = [source, cost]
  }
  return best
}

/**
 * The plan with the fewest loads and stores: a large value that is not stored yet costs a store and a load, and also the
 * loads of its unit if that would run for it alone.
 */
function planAgain(operand: Tensor, stored: ReadonlySet<Tensor>, fused: Fused): Plan {
  const size = sizeOf(operand.shape)
  const costOf = (inlined: Iterable<Tensor>, loads: Iterable<Tensor>) => costFor(size, inlined, loads, stored, fused)
  let best: Plan = { inlined: new Set(), loads: new Set([operand]), cost: costOf([], [operand]) }
  if (!isAble(operand, stored, fused)) return best
  let cut = true
  for (let depth = 1; cut && depth <= DEEPEST; depth++) {
    const inlined = new Set<Tensor>(), loads = new Set<Tensor>()
    cut = false
    const visit = (node: Tensor, left: number): void => {
      if (isGenerator(node) || inlined.has(node)) return
      const here = isAble(node, stored, fused)
      if (here && left === 0) cut = true
      if (!here || left === 0) loads.add(node)
      else {
        inlined.add(node)
        node.inputs.forEach((x) => visit(x, left - 1))
      }
    }
    visit(operand, depth)
    for (const node of inlined) loads.delete(node)
    const cost = costOf(inlined, loads)
    if (cost < best.cost) best = { inlined, loads, cost }
  }
  return best
}

/** What computing again and loading costs where values of `size` elements count. */
function costFor(
  size: number,
  inlined: Iterable<Tensor>,
  loads: Iterable<Tensor>,
  stored: ReadonlySet<Tensor>,
  { layouts, unitOf }: Fused,
): number {
  const baseOf = (node: Tensor) => layouts.get(node)?.base ?? node
  const kept = (node: Tensor) => {
    const unit = unitOf.get(baseOf(node))
    return unit === undefined || unit.kind === "other" || stored.has(baseOf(node))
  }
  let total = 0
  for (const { operation } of inlined) total += cheap.get(operation.name)!
  for (const node of loads) {
    if (sizeOf(baseOf(node).shape) * 4 <= size) continue
    const alone = !kept(node) && !unitOf.get(baseOf(node))!.nodes.some((member) => stored.has(member))
    total += kept(node) ? 1 : alone ? 4 : 2
  }
  return total
}
