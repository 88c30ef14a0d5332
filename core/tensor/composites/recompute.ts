import { node, type Operation, type Tensor } from "../tensor.ts"
import { concatOperation } from "../views.ts"

/** A part of a graph whose derivative computes it again: inputs are x and what else the part reads. */
export const recomputeOperation: Operation = {
  name: "recompute",
  decompose: ({ attributes }) => (attributes.value as () => Tensor)(),
}

/**
 * f(x), of which nothing but x is kept for the derivative; the rest is computed again (activation checkpointing, Chen et
 * al. 2016). What f reads that does not rest on x is kept as ever.
 */
export function recompute(f: (x: Tensor) => Tensor, x: Tensor): Tensor {
  const value = f(x)
  const inside = restingOn(value, x)
  if (!inside.has(value)) return value
  const read = new Set([...inside].flatMap(({ inputs }) => inputs).filter((y) => y !== x && !inside.has(y)))
  return node(recomputeOperation, [x, ...read], value.shape, value.dtype, { value: () => value })
}

/** The part of a {@link recompute} node once more, on a copy of x: its result, and the copy. */
export function again({ inputs: [x], attributes }: Tensor): { readonly value: Tensor; readonly x: Tensor } {
  const first = (attributes.value as () => Tensor)()
  // A copy in memory: what is computed from it is not what is computed from x, and not computed beside it.
  const copy = node(concatOperation, [x], x.shape, x.dtype, { axis: 0 })
  const made = new Map<Tensor, Tensor>([[x, copy]])
  for (const each of [...restingOn(first, x)].sort((a, b) => a.id - b.id)) {
    const inputs = each.inputs.map((y) => made.get(y) ?? y)
    made.set(each, node(each.operation, inputs, each.shape, each.dtype, each.attributes))
  }
  return { value: made.get(first)!, x: copy }
}

/** Nodes between x and a value. */
function restingOn(value: Tensor, x: Tensor): ReadonlySet<Tensor> {
  const open = new Set<Tensor>([value])
  for (const each of open) if (each.id > x.id) { for (const y of each.inputs) open.add(y) }
  const inside = new Set<Tensor>([x])
  for (const each of [...open].sort((a, b) => a.id - b.id)) if (each.inputs.some((y) => inside.has(y))) inside.add(each)
  inside.delete(x)
  return inside
}
