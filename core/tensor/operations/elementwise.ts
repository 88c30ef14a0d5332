import { sliceElements } from "../box.ts"
import type { DType } from "../dtype.ts"
import { full, iota } from "./leaves.ts"
import { sumTo } from "./broadcast.ts"
import { picked } from "../numbers.ts"
import { scalarFunction } from "../scalar.ts"
import { broadcastShapes, broadcastStrides, type Shape, sizeOf, stridesOf } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"

/** An operation on elements; its name is one of the kernels' elementwise functions. */
export interface ElementwiseOperation extends Operation {
  /** Marks it for fusion. */
  readonly elementwise: true
}

/** A tensor, or a number that is broadcast. */
export type Operand = Tensor | number

/** The cotangent of an operand, before it is summed to the operand's shape. */
type Cotangent = (node: Tensor, cotangent: Tensor) => Tensor

/** An operation by its name and the cotangents of its operands; without any it has no derivative. */
function define(name: string, ...cotangents: ReadonlyArray<Cotangent | undefined>): ElementwiseOperation {
  return {
    name,
    elementwise: true,
    derivative: (n, c) => cotangents.map((each, i) => each && sumTo(each(n, c), n.inputs[i].shape)),
    reference: (n, inputs) => {
      const apply = scalarFunction(name, n.dtype)
      const operands = inputs.map((data, i) => {
        const { shape } = n.inputs[i]
        return picked(data, broadcastStrides({ shape, strides: stridesOf(shape) }, n.shape), n.shape)
      })
      return new Float64Array(sizeOf(n.shape)).map((_, i) => apply(...operands.map((o) => o[i])))
    },
    slice: sliceElements,
    lift: { broadcasts: true },
  }
}

/** A function of one tensor or number. */
export type UnaryFunction = (x: Operand) => Tensor
/** A function of two tensors or numbers, broadcast. */
export type BinaryFunction = (x: Operand, y: Operand) => Tensor

function lift(x: Operand, dtype: DType): Tensor {
  return typeof x === "number" ? full(x, [], dtype) : x
}

function make(operation: ElementwiseOperation, operands: ReadonlyArray<Tensor>, dtype: DType): Tensor {
  const shape = operands.map((o) => o.shape).reduce(broadcastShapes)
  return node(operation, operands, shape, dtype)
}

function floats(operation: ElementwiseOperation, ...operands: Operand[]): Tensor {
  const tensors = operands.map((o) => lift(o, "f32"))
  for (const t of tensors) {
    if (t.dtype !== "f32") throw new ShapeError({ message: `${operation.name} needs f32 operands, got ${t.dtype}` })
  }
  return make(operation, tensors, "f32")
}

function pair(operation: ElementwiseOperation, x: Operand, y: Operand, result?: DType): Tensor {
  const dtype = typeof x !== "number" ? x.dtype : typeof y !== "number" ? y.dtype : "f32"
  const [a, b] = [lift(x, dtype), lift(y, dtype)]
  if (a.dtype !== b.dtype) {
    throw new ShapeError({ message: `${operation.name} needs operands of one type, got ${a.dtype} and ${b.dtype}` })
  }
  return make(operation, [a, b], result ?? dtype)
}

function unary(name: string, cotangent?: Cotangent): UnaryFunction {
  const operation = define(name, cotangent)
  return (x) => floats(operation, x)
}

/** A function of one operand by its slope. */
const sloped = (name: string, slope: (n: Tensor) => Tensor): UnaryFunction => unary(name, (n, c) => mul(c, slope(n)))

function binary(name: string, first: Cotangent, second: Cotangent): BinaryFunction {
  const operation = define(name, first, second)
  return (x, y) => pair(operation, x, y)
}

function comparison(name: string): BinaryFunction {
  const operation = define(name)
  return (x, y) => pair(operation, x, y, "f32")
}

/** -x */
export const neg: UnaryFunction = unary("neg", (_, c) => neg(c))
/** e^x */
export const exp: UnaryFunction = sloped("exp", (n) => n)
/** Natural logarithm. */
export const log: UnaryFunction = unary("log", (n, c) => div(c, n.inputs[0]))
/** Square root. */
export const sqrt: UnaryFunction = unary("sqrt", (n, c) => mul(div(c, n), 0.5))
/** 1 / sqrt(x) */
export const rsqrt: UnaryFunction = sloped("rsqrt", (n) => mul(mul(n, mul(n, n)), -0.5))
/** Hyperbolic tangent. */
export const tanh: UnaryFunction = sloped("tanh", (n) => sub(1, mul(n, n)))
/** 1 / (1 + e^-x) */
export const sigmoid: UnaryFunction = sloped("sigmoid", (n) => mul(n, sub(1, n)))
/** Gauss error function. */
export const erf: UnaryFunction = sloped(
  "erf",
  (n) => mul(exp(neg(mul(n.inputs[0], n.inputs[0]))), 2 / Math.sqrt(Math.PI)),
)
/** |x| */
export const abs: UnaryFunction = sloped("abs", (n) => where(less(n.inputs[0], 0), -1, 1))
/** The greatest integer not above x; its derivative is 0. */
export const floor: UnaryFunction = unary("floor")
/** Sine of an angle in radians. */
export const sin: UnaryFunction = sloped("sin", (n) => cos(n.inputs[0]))
/** Cosine of an angle in radians. */
export const cos: UnaryFunction = sloped("cos", (n) => neg(sin(n.inputs[0])))

const toFloatOperation = define("toFloat")
const toIntOperation = define("toInt")
/** i32 as f32. */
export const toFloat = (x: Tensor): Tensor => x.dtype === "f32" ? x : make(toFloatOperation, [x], "f32")
/** f32 as i32, truncated towards zero. */
export const toInt = (x: Tensor): Tensor => x.dtype === "i32" ? x : make(toIntOperation, [x], "i32")

/** x + y, broadcast. */
export const add: BinaryFunction = binary("add", (_, c) => c, (_, c) => c)
/** x - y, broadcast. */
export const sub: BinaryFunction = binary("sub", (_, c) => c, (_, c) => neg(c))
/** x * y, broadcast. */
export const mul: BinaryFunction = binary("mul", (n, c) => mul(c, n.inputs[1]), (n, c) => mul(c, n.inputs[0]))
const divOperation = define("div", (n, c) => div(c, n.inputs[1]), (n, c) => neg(mul(c, div(n, n.inputs[1]))))
/** x / y, broadcast; f32 only. */
export const div: BinaryFunction = (x, y) => floats(divOperation, x, y)
/** The greater of two, broadcast. Where they are equal, the first takes the whole cotangent. */
export const max: BinaryFunction = binary(
  "max",
  ({ inputs: [x, y] }, c) => where(less(x, y), 0, c),
  ({ inputs: [x, y] }, c) => where(less(x, y), c, 0),
)
/** The smaller of two, broadcast. Where they are equal, the first takes the whole cotangent. */
export const min: BinaryFunction = binary(
  "min",
  ({ inputs: [x, y] }, c) => where(less(y, x), 0, c),
  ({ inputs: [x, y] }, c) => where(less(y, x), c, 0),
)
/** 1 where x < y, else 0, as f32. */
export const less: BinaryFunction = comparison("less")
/** 1 where x <= y, else 0, as f32. */
export const lessEqual: BinaryFunction = comparison("lessEqual")
/** 1 where x = y, else 0, as f32. */
export const equal: BinaryFunction = comparison("equal")

const whereOperation = define(
  "where",
  undefined,
  (n, c) => where(n.inputs[0], c, 0),
  (n, c) => where(n.inputs[0], 0, c),
)
/** x where the condition is not 0, else y; broadcast. */
export function where(condition: Tensor, x: Operand, y: Operand): Tensor {
  const dtype = typeof x !== "number" ? x.dtype : typeof y !== "number" ? y.dtype : "f32"
  const [a, b] = [lift(x, dtype), lift(y, dtype)]
  if (condition.dtype !== "f32" || a.dtype !== b.dtype) {
    throw new ShapeError({
      message: `where needs an f32 condition and operands of one type, got ${condition.dtype}, ${a.dtype}, ${b.dtype}`,
    })
  }
  return make(whereOperation, [condition, a, b], dtype)
}

const uniformOperation = define("uniform")

/**
 * Counter-based random numbers in [0, 1), f32: Threefry-2x32-20 (Salmon et al. 2011) of the counter (index, salt) under a
 * key of two i32 scalars. The same key, salt and shape give the same numbers on every backend.
 */
export function uniform(shape: Shape, salt: number, key: readonly [Tensor, Tensor]): Tensor {
  if (key.some(({ dtype }) => dtype !== "i32")) {
    throw new ShapeError({ message: `uniform needs a key of two i32 scalars, got ${key.map(({ dtype }) => dtype)}` })
  }
  const strides = stridesOf(shape)
  const terms = shape.map((_, axis) => {
    const alone = shape.map((extent, other) => other === axis ? extent : 1)
    return mul(iota(alone, axis), strides[axis])
  })
  const index = terms.length === 0 ? full(0, shape, "i32") : terms.reduce(add)
  return make(uniformOperation, [index, full(salt, [], "i32"), ...key], "f32")
}
