import { div, equal, mul, neg, toFloat, toInt, where } from "./elementwise.ts"
import { iota } from "./leaves.ts"
import { axisOf, type Shape, show, sizeOf, stridesOf } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"
import { expand, reshape } from "./views.ts"

/** Reduces some axes to extent 1: attributes `kind` ("sum" or "max") and `axes` (ascending). */
export const reduceOperation: Operation = {
  name: "reduce",
  derivative: (n, cotangent) => {
    const [x] = n.inputs
    if (n.attributes.kind === "sum") return [expand(cotangent, x.shape)]
    // Places that share the maximum share its cotangent.
    const winners = equal(x, n)
    return [mul(winners, div(cotangent, reduce(winners, "sum", n.attributes.axes as number[])))]
  },
  reference: (n, [data]) => {
    const from = n.inputs[0].shape
    const max = n.attributes.kind === "max"
    const places = stridesOf(from)
    const target = stridesOf(n.shape)
    const out = new Float64Array(sizeOf(n.shape)).fill(max ? -Infinity : 0)
    for (let i = 0; i < data.length; i++) {
      let at = 0
      for (let axis = 0; axis < from.length; axis++) {
        if (n.shape[axis] !== 1) at += Math.floor(i / places[axis]) % from[axis] * target[axis]
      }
      out[at] = max ? Math.max(out[at], data[i]) : out[at] + data[i]
    }
    return out
  },
  slice: ({ inputs: [x], attributes }, box) => {
    const axes = attributes.axes as number[]
    return [box.map((range, axis) => axes.includes(axis) ? [0, x.shape[axis]] : range)]
  },
  lift: { attributes: ({ axes }) => ({ axes: (axes as number[]).map((axis) => axis + 1) }) },
}

/**
 * The sum over axis 0 of what each example gives: [B, ...shape] to [...shape]. It is an operation of its own so that
 * per-example derivatives can be taken before it; in a plain step it melts into the product or sum that feeds it.
 */
export const batchSumOperation: Operation = {
  name: "batchSum",
  derivative: (n, cotangent) => [expand(reshape(cotangent, [1, ...n.shape]), n.inputs[0].shape)],
  decompose: (n) => reshape(reduce(n.inputs[0], "sum", [0]), n.shape),
}

function reduce(x: Tensor, kind: "sum" | "max", axes: ReadonlyArray<number>): Tensor {
  const kept = x.shape.map((extent, axis) => axes.includes(axis) ? 1 : extent)
  return node(reduceOperation, [x], kept, x.dtype, { kind, axes })
}

/** Options of {@link sum}, {@link max}, {@link mean}. */
export interface ReduceOptions {
  /** Keep reduced axes with extent 1. Default false. */
  readonly keepDims?: boolean
}

function over(x: Tensor, kind: "sum" | "max", axes: ReadonlyArray<number> | undefined, options: ReduceOptions): Tensor {
  if (x.dtype !== "f32") throw new ShapeError({ message: `${kind} needs an f32 operand, got ${x.dtype}` })
  const all = x.shape.map((_, axis) => axis)
  const wanted = [...new Set((axes ?? all).map((axis) => axisOf(axis, x.shape.length)))].sort((a, b) => a - b)
  const kept = reduce(x, kind, wanted)
  return options.keepDims ? kept : reshape(kept, x.shape.filter((_, axis) => !wanted.includes(axis)))
}

/** Sum over axes (default: all). */
export function sum(x: Tensor, axes?: ReadonlyArray<number>, options: ReduceOptions = {}): Tensor {
  return over(x, "sum", axes, options)
}

/** Maximum over axes (default: all). */
export function maximum(x: Tensor, axes?: ReadonlyArray<number>, options: ReduceOptions = {}): Tensor {
  return over(x, "max", axes, options)
}

/** Mean over axes (default: all). */
export function mean(x: Tensor, axes?: ReadonlyArray<number>, options: ReduceOptions = {}): Tensor {
  const total = over(x, "sum", axes, options)
  return mul(total, sizeOf(total.shape) / sizeOf(x.shape))
}

/** Sum over axis 0, taken for the examples of a batch. See {@link batchSumOperation}. */
export function batchSum(x: Tensor): Tensor {
  if (x.shape.length === 0 || x.dtype !== "f32") {
    throw new ShapeError({
      message: `batchSum needs an f32 tensor with an axis of examples, got ${x.dtype}${show(x.shape)}`,
    })
  }
  return node(batchSumOperation, [x], x.shape.slice(1), x.dtype)
}

/** Index of the (first) greatest element along the last axis, i32: [..., n] to [...]. For n up to 2^24. */
export function argmax(x: Tensor): Tensor {
  const last = x.shape.length - 1
  const places = toFloat(iota(x.shape.map((extent, axis) => axis === last ? extent : 1), last))
  const top = maximum(x, [last], { keepDims: true })
  return toInt(neg(maximum(where(equal(x, top), neg(places), -Infinity), [last])))
}

/**
 * Sums a cotangent down to the shape of an operand that was repeated by broadcasting. The sum over axis 0 comes last, as
 * {@link batchSum}, so that derivatives of an operation that uses this can be taken example by example.
 */
export function sumTo(cotangent: Tensor, shape: Shape): Tensor {
  const rank = cotangent.shape.length
  const lead = rank - shape.length
  const repeated = (axis: number) => axis < lead || (shape[axis - lead] === 1 && cotangent.shape[axis] !== 1)
  const inner = cotangent.shape.map((_, axis) => axis).filter((axis) => axis > 0 && repeated(axis))
  const partial = inner.length === 0 ? cotangent : reduce(cotangent, "sum", inner)
  if (rank === 0 || !repeated(0)) return reshape(partial, shape)
  return batchSum(reshape(partial, [cotangent.shape[0], ...shape]))
}
