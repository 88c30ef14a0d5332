import type { Tensor } from "../tensor/tensor.ts"

/** All nodes that `roots` rest on, and themselves, in the order of their making: inputs come first. */
export function allOf(roots: Iterable<Tensor>, without?: { readonly has: (node: Tensor) => boolean }): Tensor[] {
  const open = new Map<number, Tensor>()
  for (const root of roots) open.set(root.id, root)
  for (const { inputs } of open.values()) {
    for (const x of inputs) if (!open.has(x.id) && without?.has(x) !== true) open.set(x.id, x)
  }
  const ids = Float64Array.from(open.keys()).sort()
  return Array.from(ids, (id) => open.get(id)!)
}
