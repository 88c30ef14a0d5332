/**
 * An operation that the package does not have: each column of x times a learned number.
 * @module
 */
import { node, type Operation, ops, ShapeError, type Tensor } from "@espalier/espalier"

const rescaleOperation: Operation = {
  name: "rescale",
  derivative: ({ inputs: [x, factors] }, cotangent) => [
    rescale(cotangent, factors),
    ops.sumTo(ops.mul(cotangent, x), factors.shape),
  ],
  decompose: ({ inputs: [x, factors] }) => ops.mul(x, factors),
  reference: (_, [x, factors]) => x.map((value, i) => value * factors[i % factors.length]),
}

/** x * factors along the last axis: [..., width] and [width] to [..., width]. Throws ShapeError on other shapes. */
export function rescale(x: Tensor, factors: Tensor): Tensor {
  if (factors.shape.length !== 1 || factors.shape[0] !== x.shape.at(-1) || x.dtype !== "f32") {
    const message = `rescale needs f32 [..., width] and [width], got ${x.dtype} [${x.shape}] and [${factors.shape}]`
    throw new ShapeError({ message })
  }
  return node(rescaleOperation, [x, factors], x.shape, x.dtype)
}
