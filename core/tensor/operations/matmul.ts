import { broadcastBox } from "../box.ts"
import { sumTo } from "./broadcast.ts"
import { offsetsOf } from "../numbers.ts"
import { broadcastShapes, broadcastStrides, type Shape, show, sizeOf, stridesOf } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"

/** Options of {@link matmul}. */
export interface MatmulOptions {
  /** Exchange the last two axes of `a` first. Default false. */
  readonly transposeA?: boolean
  /** Exchange the last two axes of `b` first. Default false. */
  readonly transposeB?: boolean
}

/** The matrix product; attributes `transposeA`, `transposeB`. */
export const matmulOperation: Operation = {
  name: "matmul",
  kernel: "matmul",
  derivative: (n, cotangent) => {
    const [a, b] = n.inputs
    const { transposeA, transposeB } = n.attributes as MatmulOptions
    const da = transposeA
      ? matmul(b, cotangent, { transposeA: transposeB ?? false, transposeB: true })
      : matmul(cotangent, b, { transposeB: !transposeB })
    const db = transposeB
      ? matmul(cotangent, a, { transposeA: true, transposeB: transposeA ?? false })
      : matmul(a, cotangent, { transposeA: !transposeA })
    return [sumTo(da, a.shape), sumTo(db, b.shape)]
  },
  reference: (n, [a, b]) => {
    const [left, right] = n.inputs.map((x) => x.shape)
    const { transposeA, transposeB } = n.attributes as MatmulOptions
    const [m, width] = n.shape.slice(-2)
    const k = left.at(transposeA ? -2 : -1)!
    const batch = n.shape.slice(0, -2)
    /** Where each matrix of the batch begins. */
    const starts = (shape: Shape) => {
      const operand = { shape: shape.slice(0, -2), strides: stridesOf(shape).slice(0, -2) }
      return offsetsOf(broadcastStrides(operand, batch), batch)
    }
    const [startsA, startsB] = [starts(left), starts(right)]
    const out = new Float64Array(sizeOf(n.shape))
    for (let i = 0; i < sizeOf(batch); i++) {
      const [atA, atB] = [startsA[i], startsB[i]]
      for (let r = 0; r < m; r++) {
        for (let c = 0; c < width; c++) {
          let total = 0
          for (let j = 0; j < k; j++) {
            total += a[atA + (transposeA ? j * m + r : r * k + j)] * b[atB + (transposeB ? c * k + j : j * width + c)]
          }
          out[(i * m + r) * width + c] = total
        }
      }
    }
    return out
  },
  slice: ({ inputs: [a, b], attributes }, box) => {
    const sides = [[a, attributes.transposeA, 0], [b, attributes.transposeB, 1]] as const
    return sides.map(([x, transposed, side]) => {
      const batch = broadcastBox(x.shape.slice(0, -2), box.slice(0, -2))
      const [rows, columns] = x.shape.slice(-2)
      const kept = box[box.length - 2 + side]
      // Kept is m of a, n of b; the other axis is summed over.
      return (side === 0) === Boolean(transposed)
        ? [...batch, [0, rows] as const, kept]
        : [...batch, kept, [0, columns] as const]
    })
  },
  lift: { broadcasts: true },
}

/** Matrix product over the last two axes, broadcast over the others: [..., m, k] x [..., k, n] to [..., m, n]. */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options
  const [m, k] = transposeA ? [a.shape.at(-1), a.shape.at(-2)] : [a.shape.at(-2), a.shape.at(-1)]
  const [inner, n] = transposeB ? [b.shape.at(-1), b.shape.at(-2)] : [b.shape.at(-2), b.shape.at(-1)]
  if (m === undefined || n === undefined || k !== inner || a.dtype !== "f32" || b.dtype !== "f32") {
    const turned = (on: boolean) => on ? " transposed" : ""
    throw new ShapeError({
      message: `Cannot multiply ${a.dtype}${show(a.shape)}${turned(transposeA)} by ${b.dtype}${show(b.shape)}${
        turned(transposeB)
      }`,
    })
  }
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2))
  return node(matmulOperation, [a, b], [...batch, m, n], "f32", { transposeA, transposeB })
}
