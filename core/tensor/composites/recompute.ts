import { node, type Operation, type Tensor } from "../tensor.ts"
import { concatOperation } from "../operations/views.ts"

/** A part of a graph as a function of what it reads. */
type Part = (inputs: ReadonlyArray<Tensor>) => Tensor

/** A part of a graph whose derivative computes it again: inputs are x and what else the part reads. */
export const recomputeOperation: Operation = {
  name: "recompute",
  decompose: ({ inputs, attributes }) => (attributes.part as Part)(inputs),
}

/**
 * f(x), of which nothing but x is kept for the derivative; the rest is computed again (activation checkpointing, Chen et
 * al. 2016). What f reads that does not rest on x is kept as ever.
 */
export function recompute(f: (x: Tensor) => Tensor, x: Tensor): Tensor {
  const value = f(x)
  const inside = restingOn(value, x)
  if (!inside.has(value)) return value
  const inputs = [...new Set([x, ...[...inside].flatMap(({ inputs }) => inputs).filter((y) => !inside.has(y))])]
  // Transforms of graphs give the node other inputs: the part must follow.
  const part: Part = (given) => {
    if (given.every((y, i) => y === inputs[i])) return value
    const made = new Map(inputs.map((y, i) => [y, given[i]]))
    for (const each of inside) {
      const changed = each.inputs.map((y) => made.get(y)!)
      made.set(each, node(each.operation, changed, each.shape, each.dtype, each.attributes))
    }
    return made.get(value)!
  }
  return node(recomputeOperation, inputs, value.shape, value.dtype, { part })
}

/** The part of a {@link recompute} node once more, on a copy of x: its result, and the copy. */
export function again({ inputs: [x, ...read], attributes }: Tensor): { readonly value: Tensor; readonly x: Tensor } {
  // A copy in memory: what is computed from it is not what is computed from x, and not computed beside it.
  const copy = node(concatOperation, [x], x.shape, x.dtype, { axis: 0 })
  return { value: (attributes.part as Part)([copy, ...read]), x: copy }
}

/** Nodes between x and a value, in the order of their making. */
function restingOn(value: Tensor, x: Tensor): ReadonlySet<Tensor> {
  const open = new Set<Tensor>([value])
  for (const each of open) if (each.id > x.id) { for (const y of each.inputs) open.add(y) }
  const inside = new Set<Tensor>([x])
  for (const each of [...open].sort((a, b) => a.id - b.id)) if (each.inputs.some((y) => inside.has(y))) inside.add(each)
  inside.delete(x)
  return inside
}
