/**
 * Norms and scaling of gradients by example, [B, ...shape], from the operands of the operations that make them where that
 * is less work: a sum over the batch that follows then melts into one product or scatter, and the gradients by example are
 * never stored. Any other gradient is computed as it is.
 * @module
 */
import { add, equal, mul } from "../../tensor/operations/elementwise.ts"
import { iota } from "../../tensor/operations/leaves.ts"
import { matmul, matmulOperation } from "../../tensor/operations/matmul.ts"
import { gather, scatterAdd, scatterAddOperation } from "../../tensor/operations/indexing.ts"
import { sum } from "../../tensor/operations/broadcast.ts"
import { reshape, reshapeOperation } from "../../tensor/operations/views.ts"
import { sameShape, show, sizeOf } from "../../tensor/shape.ts"
import { ShapeError } from "../../tensor/shape_error.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/**
 * A gradient by example [B, m, n] as the sum over T of outer products: of activations and cotangents for a matrix; of rows
 * of the identity and cotangents for a table.
 */
interface Outer {
  /** f32 [B, T, m], or the indices of rows of the identity: i32 [B, T]. */
  readonly left: Tensor
  /** f32 [B, T, n]. */
  readonly right: Tensor
}

const isTable = ({ left }: Outer): boolean => left.dtype === "i32"

/** The terms of a gradient, undefined where it is not made of outer products alone. */
function outersOf(gradient: Tensor): ReadonlyArray<Outer> | undefined {
  const { operation, inputs: [x, y], shape, attributes } = gradient
  const [size] = shape
  if (operation === scatterAddOperation && attributes.perExample) {
    return [{ left: reshape(x, [size, -1]), right: reshape(y, [size, -1, shape[2]]) }]
  }
  if (operation === matmulOperation && attributes.transposeA && !attributes.transposeB) {
    return [x, y].every((part) => part.shape.length === 3 && part.shape[0] === size)
      ? [{ left: x, right: y }]
      : undefined
  }
  if (operation === reshapeOperation && sameShape(x.shape, shape)) return outersOf(x)
  if (operation.name !== "add" || !sameShape(x.shape, y.shape)) return undefined
  const [first, second] = [outersOf(x), outersOf(y)]
  return first && second && [...first, ...second]
}

/** Products of all pairs of rows of each example: [B, S, m] and [B, T, m] to [B, S, T]. */
function pairs(a: Tensor, b: Tensor): Tensor {
  if (a.dtype === "f32" && b.dtype === "f32") return matmul(a, b, { transposeB: true })
  const [size, rows, columns] = [a.shape[0], a.shape[1], b.shape[1]]
  if (a.dtype === "i32" && b.dtype === "i32") return equal(reshape(a, [size, rows, 1]), reshape(b, [size, 1, columns]))
  // Elements of the one in the places that the other names.
  const [whole, places] = a.dtype === "f32" ? [a, reshape(b, [size, 1, columns])] : [b, reshape(a, [size, rows, 1])]
  const example = mul(iota([size, 1, 1], 0), whole.shape[1])
  const row = a.dtype === "f32" ? iota([1, rows, 1], 1) : iota([1, 1, columns], 2)
  const at = add(mul(add(example, row), whole.shape[2]), places)
  return reshape(gather(reshape(whole, [-1, 1]), at), [size, rows, columns])
}

/** |sum_i a_i b_i'|^2 = sum_{i,j} <a_i, a_j> <b_i, b_j>. */
const squaresOf = (outers: ReadonlyArray<Outer>): Tensor =>
  outers.flatMap((x) => outers.map((y) => sum(mul(pairs(x.left, y.left), pairs(x.right, y.right)), [1, 2])))
    .reduce((a, b) => add(a, b))

/** The factor of each example, [B], for a tensor with its examples on axis 0. */
const along = (factors: Tensor, { shape }: Tensor): Tensor => reshape(factors, [-1, ...shape.slice(1).map(() => 1)])

function scaledBy(factors: Tensor, rows: number): (outer: Outer) => Tensor {
  const scaled = (x: Tensor) => mul(x, along(factors, x))
  return (outer) => {
    const { left, right } = outer
    if (isTable(outer)) return scatterAdd(left, scaled(right), rows, true)
    return left.shape[2] < right.shape[2]
      ? matmul(scaled(left), right, { transposeA: true })
      : matmul(left, scaled(right), { transposeA: true })
  }
}

/** The terms of a gradient where they are to be used instead of it. */
function smallerOuters(gradient: Tensor): ReadonlyArray<Outer> | undefined {
  const outers = outersOf(gradient)
  if (outers === undefined) {
    if (hasTable(gradient)) throw tooLarge(gradient)
    return undefined
  }
  const terms = outers.reduce((total, { right }) => total + right.shape[1], 0)
  // By memory, as Bu et al. 2022 decide (mixed ghost clipping, section 4).
  return outers.some(isTable) || 2 * terms ** 2 < gradient.shape[1] * gradient.shape[2] ? outers : undefined
}

/** Whether a table's gradient by example is part of elementwise work. */
function hasTable({ operation, attributes, inputs, shape }: Tensor): boolean {
  if (operation === scatterAddOperation) return Boolean(attributes.perExample)
  return operation !== matmulOperation && inputs.some((x) => sizeOf(x.shape) === sizeOf(shape) && hasTable(x))
}

const tooLarge = ({ shape: [size, ...shape] }: Tensor): ShapeError =>
  new ShapeError({
    message:
      `The gradient of a table ${show(shape)} for each of ${size} examples is not stored, and its norm is known only ` +
      "where the table looks up rows or is the matrix of a product",
  })

/** The gradient without a last change of an example's shape. */
const unshaped = (gradient: Tensor): Tensor => {
  const { operation, inputs: [x], shape } = gradient
  return operation === reshapeOperation && x.shape[0] === shape[0] ? unshaped(x) : gradient
}

/**
 * The squared norm (L2) of each example's gradient: [B, ...shape] to [B].
 *
 * Throws {@link ShapeError} for the gradient of a table of rows (an embedding) that would have to be stored for each
 * example: one that is neither looked up nor the matrix of a product.
 */
export function exampleSquares(gradient: Tensor): Tensor {
  const outers = smallerOuters(unshaped(gradient))
  if (outers !== undefined) return squaresOf(outers)
  const inner = [...gradient.shape.keys()].slice(1)
  const squares = mul(gradient, gradient)
  return inner.length === 0 ? squares : sum(squares, inner)
}

/**
 * Each example's gradient times its factor: [B, ...shape] and [B] to [B, ...shape].
 *
 * Throws {@link ShapeError} as {@link exampleSquares} does.
 */
export function scaleExamples(gradient: Tensor, factors: Tensor): Tensor {
  const inner = unshaped(gradient)
  const outers = smallerOuters(inner)
  if (outers === undefined) return mul(gradient, along(factors, gradient))
  return reshape(outers.map(scaledBy(factors, inner.shape[1])).reduce((a, b) => add(a, b)), gradient.shape)
}
