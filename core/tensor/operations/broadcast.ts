/**
 * Repetition and sums: each is the derivative of the other.
 * @module
 */
import { sliceElements } from "../box.ts"
import { offsetsOf } from "../numbers.ts"
import { axisOf, broadcastShapes, broadcastStrides, sameShape, type Shape, show, sizeOf, stridesOf } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"
import { pick, reshape } from "./views.ts"

/** An operation that reduces some axes to extent 1: attributes `kind` and `axes` (ascending). */
export interface Reduction extends Operation {
  /** How elements are combined. */
  readonly kind: "sum" | "max"
}

/** A reduction by its derivative. */
export function reduction(kind: Reduction["kind"], derivative: NonNullable<Operation["derivative"]>): Reduction {
  return {
    name: kind === "sum" ? "sum" : "maximum",
    kind,
    derivative,
    reference: (n, [data]) => {
      const { shape } = n.inputs[0]
      const out = new Float64Array(sizeOf(n.shape)).fill(kind === "sum" ? 0 : -Infinity)
      const strides = broadcastStrides({ shape: n.shape, strides: stridesOf(n.shape) }, shape)
      offsetsOf(strides, shape).forEach((at, i) => {
        out[at] = kind === "sum" ? out[at] + data[i] : Math.max(out[at], data[i])
      })
      return out
    },
    slice: ({ inputs: [x], attributes }, box) => {
      const axes = attributes.axes as number[]
      return [box.map((range, axis) => axes.includes(axis) ? [0, x.shape[axis]] : range)]
    },
    lift: { attributes: ({ axes }) => ({ axes: (axes as number[]).map((axis) => axis + 1) }) },
  }
}

/** Sum over some axes. */
export const sumOperation: Reduction = reduction("sum", (n, cotangent) => [expand(cotangent, n.inputs[0].shape)])

/** Axes of extent 1 (and new ones in front) repeated. */
export const expandOperation: Operation = {
  name: "expand",
  derivative: (n, cotangent) => [sumTo(cotangent, n.inputs[0].shape)],
  reference: pick,
  view: ({ shape }, input) => ({ offset: input.offset, shape, strides: broadcastStrides(input, shape) }),
  slice: sliceElements,
  lift: { broadcasts: true },
}
/** One value repeated for the examples of a batch: it counts as depending on them. */
export const forBatchOperation: Operation = {
  name: "forBatch",
  derivative: (n, cotangent) => [sumTo(cotangent, n.inputs[0].shape), undefined],
  decompose: (n) => expand(n.inputs[0], n.shape),
}
/**
 * The sum over axis 0 of what each example gives: [B, ...shape] to [...shape]. It is an operation of its own so that
 * per-example derivatives can be taken before it; in a plain step it melts into the product or sum that feeds it.
 */
export const batchSumOperation: Operation = {
  name: "batchSum",
  derivative: (n, cotangent) => [expand(reshape(cotangent, [1, ...n.shape]), n.inputs[0].shape)],
  decompose: (n) => reshape(reduce(sumOperation, n.inputs[0], [0]), n.shape),
}

/** Reduces axes to extent 1. */
export function reduce(operation: Reduction, x: Tensor, axes: ReadonlyArray<number>): Tensor {
  const kept = x.shape.map((extent, axis) => axes.includes(axis) ? 1 : extent)
  return node(operation, [x], kept, x.dtype, { kind: operation.kind, axes })
}

/** Options of {@link sum}, {@link maximum}, {@link mean}. */
export interface ReduceOptions {
  /** Keep reduced axes with extent 1. Default false. */
  readonly keepDims?: boolean
}

/** A reduction over axes (default: all) that may be negative. */
export function reduceOver(
  operation: Reduction,
  x: Tensor,
  axes: ReadonlyArray<number> = [...x.shape.keys()],
  { keepDims = false }: ReduceOptions = {},
): Tensor {
  if (x.dtype !== "f32") throw new ShapeError({ message: `${operation.name} needs an f32 operand, got ${x.dtype}` })
  const wanted = [...new Set(axes.map((axis) => axisOf(axis, x.shape.length)))].sort((a, b) => a - b)
  const kept = reduce(operation, x, wanted)
  return keepDims ? kept : reshape(kept, x.shape.filter((_, axis) => !wanted.includes(axis)))
}

/** Sum over axes (default: all). */
export function sum(x: Tensor, axes?: ReadonlyArray<number>, options?: ReduceOptions): Tensor {
  return reduceOver(sumOperation, x, axes, options)
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

/** Axes of extent 1 (and new ones in front) repeated up to `shape`. */
export function expand(x: Tensor, shape: Shape): Tensor {
  if (!sameShape(broadcastShapes(x.shape, shape), shape)) {
    throw new ShapeError({ message: `${show(x.shape)} does not expand to ${show(shape)}` })
  }
  return sameShape(shape, x.shape) ? x : node(expandOperation, [x], shape, x.dtype)
}

/**
 * `x` [1, ...] repeated for each example of `batch` [B, ...]: [B, ...]. Unlike {@link expand}, per-example derivatives
 * see a view of `x` for each example.
 */
export function forBatch(x: Tensor, batch: Tensor): Tensor {
  if (x.shape[0] !== 1) throw new ShapeError({ message: `forBatch needs an axis 0 of extent 1, got ${show(x.shape)}` })
  return node(forBatchOperation, [x, batch], [batch.shape[0], ...x.shape.slice(1)], x.dtype)
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
  const partial = inner.length === 0 ? cotangent : reduce(sumOperation, cotangent, inner)
  if (rank === 0 || !repeated(0)) return reshape(partial, shape)
  return batchSum(reshape(partial, [cotangent.shape[0], ...shape]))
}
