import { isWholeAxis } from "../box.ts"
import { add, mul, neg } from "../operations/elementwise.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"
import { concat, flip, reshape } from "../operations/views.ts"

/** Rotary position embedding. */
export const rotaryOperation: Operation = {
  name: "rotary",
  // A rotation's transpose is the rotation back.
  derivative: ({ inputs: [, cos, sin] }, cotangent) => [rotary(cotangent, cos, neg(sin)), undefined, undefined],
  decompose: ({ inputs: [x, cos, sin], shape }) => {
    const half = cos.shape.at(-1)!
    const halves = reshape(x, [...shape.slice(0, -1), 2, half])
    const [c, s] = [cos, sin].map((table) => reshape(table, [...table.shape.slice(0, -1), 1, half]))
    return reshape(add(mul(halves, c), mul(flip(halves, -2), concat([neg(s), s], s.shape.length - 2))), shape)
  },
  slice: (n, box) => {
    const [x, cos] = n.inputs
    const table = [box.at(-2)!, [0, cos.shape[1]]] as const
    return isWholeAxis(n, box, x.shape.length - 1) ? [box, table, table] : undefined
  },
}

/**
 * Rotates pairs (x[i], x[i + width / 2]) of the last axis by the angles of their position (Su et al. 2021, in the
 * layout of Hugging Face's models): x [..., length, width], cos and sin [length, width / 2], or with x's leading axes as
 * far as they differ in them. The tables get no derivative.
 */
export function rotary(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  return node(rotaryOperation, [x, cos, sin], x.shape, "f32")
}
