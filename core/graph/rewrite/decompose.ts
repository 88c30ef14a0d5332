import type { Tensor } from "../../tensor/tensor.ts"

const made = new WeakMap<Tensor, Tensor>()

/** A composite node written in other operations; the same node gives the same parts every time. */
export function decompose(node: Tensor): Tensor {
  let parts = made.get(node)
  if (parts === undefined) {
    parts = node.operation.decompose!(node)
    made.set(node, parts)
  }
  return parts
}
