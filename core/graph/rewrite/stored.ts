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

/**
 * The plan with the fewest loads and stores: a large value that is not stored yet costs a store and a load, and also the
 * loads of its unit if that would run for it alone.
 */
function planAgain(operand: Tensor, stored: ReadonlySet<Tensor>, { layouts, unitOf }: Fused): Plan {
  const able = (node: Tensor) =>
    isElementwise(node) && cheap.has(node.operation.name) && unitOf.has(node) && !stored.has(node)
  let best: Plan = { inlined: new Set(), loads: new Set([operand]) }
  if (!able(operand)) return best
  const size = sizeOf(operand.shape)
  const baseOf = (node: Tensor) => layouts.get(node)?.base ?? node
  const kept = (node: Tensor) => {
    const unit = unitOf.get(baseOf(node))
    return unit === undefined || unit.kind === "other" || stored.has(baseOf(node))
  }
  const costOf = ({ inlined, loads }: Plan) => {
    let total = 0
    for (const { operation } of inlined) total += cheap.get(operation.name)!
    for (const node of loads) {
      if (sizeOf(baseOf(node).shape) * 4 <= size) continue
      const alone = !kept(node) && !unitOf.get(baseOf(node))!.nodes.some((member) => stored.has(member))
      total += kept(node) ? 1 : alone ? 4 : 2
    }
    return total
  }
  let least = costOf(best)
  let cut = true
  for (let depth = 1; cut && depth <= DEEPEST; depth++) {
    const plan: Plan = { inlined: new Set(), loads: new Set() }
    cut = false
    const visit = (node: Tensor, left: number): void => {
      if (isGenerator(node) || plan.inlined.has(node)) return
      const here = able(node)
      if (here && left === 0) cut = true
      if (!here || left === 0) plan.loads.add(node)
      else {
        plan.inlined.add(node)
        node.inputs.forEach((x) => visit(x, left - 1))
      }
    }
    visit(operand, depth)
    for (const node of plan.inlined) plan.loads.delete(node)
    const cost = costOf(plan)
    if (cost < least) [best, least] = [plan, cost]
  }
  return best
}
