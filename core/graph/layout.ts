import { stridesOf } from "../tensor/shape.ts"
import type { Strided, Tensor } from "../tensor/tensor.ts"

/** A tensor's elements in the memory of another one, its base. */
export interface Layout extends Strided {
  readonly base: Tensor
}

/** The layout of a tensor that has memory of its own. */
export function contiguous(base: Tensor): Layout {
  return { base, offset: 0, shape: base.shape, strides: stridesOf(base.shape) }
}

/** The layout that a view has on top of its input's; undefined for other nodes, and where elements must be copied first. */
export function viewOf(node: Tensor, from: Layout): Layout | undefined {
  const view = node.operation.view?.(node, from)
  return view && { base: from.base, ...view }
}
