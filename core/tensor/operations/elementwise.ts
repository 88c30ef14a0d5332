import { sliceElements } from "../box.ts"
import type { DType } from "../dtype.ts"
import { full, iota } from "./leaves.ts"
import { sumTo } from "./reduce.ts"
import { scalarFunction } from "../scalar.ts"
import { broadcastShapes, type Shape, sizeOf, stridesOf } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Numbers, type Operation, type Tensor } from "../tensor.ts"

/** An operation on elements; its name is one of the kernels' elementwise functions. */
export interface ElementwiseOperation extends Operation {
  /** Marks it for fusion. */
  readonly elementwise: true
}

/** A tensor, or a number that stands for one everywhere. */
export type Operand = Tensor | number

/** Value of a broadcast operand at each place of `shape`. */
function broadcastNumbers(data: Numbers, from: Shape, shape: Shape): Numbers {
  if (data.length === sizeOf(shape)) return data
  const own = stridesOf(from)
  const lead = shape.length - from.length
  const strides = shape.map((_, axis) => axis < lead || from[axis - lead] === 1 ? 0 : own[axis - lead])
  const places = stridesOf(shape)
  return new Float64Array(sizeOf(shape)).map((_, i) => {
    let at = 0
    for (let axis = 0; axis < shape.length; axis++) at += Math.floor(i / places[axis]) % shape[axis] * strides[axis]
    return data[at]
  })
}

function define(
  name: string,
  derivative: NonNullable<Operation["derivative"]>,
): ElementwiseOperation {
  return {
    name,
    elementwise: true,
    derivative,
    reference: (n, inputs) => {
      const apply = scalarFunction(name, n.dtype)
      const operands = inputs.map((data, i) => broadcastNumbers(data, n.inputs[i].shape, n.shape))
      return new Float64Array(sizeOf(n.shape)).map((_, i) => apply(...operands.map((o) => o[i])))
    },
    slice: sliceElements,
    lift: { broadcasts: true },
  }
}

const none = () => []

function unary(name: string, slope: (n: Tensor) => Tensor): ElementwiseOperation {
  return define(name, (n, cotangent) => [mul(cotangent, slope(n))])
}

/** Sums a cotangent over the axes along which an operand was repeated. */
const back = (n: Tensor, operand: number, cotangent: Tensor) => sumTo(cotangent, n.inputs[operand].shape)

const negOperation = define("neg", (_, c) => [neg(c)])
const expOperation = unary("exp", (n) => n)
const logOperation = define("log", (n, c) => [div(c, n.inputs[0])])
const sqrtOperation = define("sqrt", (n, c) => [mul(div(c, n), 0.5)])
const rsqrtOperation = unary("rsqrt", (n) => mul(mul(n, mul(n, n)), -0.5))
const tanhOperation = unary("tanh", (n) => sub(1, mul(n, n)))
const sigmoidOperation = unary("sigmoid", (n) => mul(n, sub(1, n)))
const erfOperation = unary("erf", (n) => mul(exp(neg(mul(n.inputs[0], n.inputs[0]))), 2 / Math.sqrt(Math.PI)))
const absOperation = unary("abs", (n) => where(less(n.inputs[0], 0), -1, 1))
const floorOperation = define("floor", none)
const sinOperation = unary("sin", (n) => cos(n.inputs[0]))
const cosOperation = unary("cos", (n) => neg(sin(n.inputs[0])))
const toFloatOperation = define("toFloat", none)
const toIntOperation = define("toInt", none)

const addOperation = define("add", (n, c) => [back(n, 0, c), back(n, 1, c)])
const subOperation = define("sub", (n, c) => [back(n, 0, c), back(n, 1, neg(c))])
const mulOperation = define("mul", (n, c) => [
  back(n, 0, mul(c, n.inputs[1])),
  back(n, 1, mul(c, n.inputs[0])),
])
const divOperation = define("div", (n, c) => [
  back(n, 0, div(c, n.inputs[1])),
  back(n, 1, neg(mul(c, div(n, n.inputs[1])))),
])
// Where both are equal the first one takes the whole cotangent.
const maxOperation = define("max", (n, c) => {
  const second = less(n.inputs[0], n.inputs[1])
  return [back(n, 0, where(second, 0, c)), back(n, 1, where(second, c, 0))]
})
const minOperation = define("min", (n, c) => {
  const second = less(n.inputs[1], n.inputs[0])
  return [back(n, 0, where(second, 0, c)), back(n, 1, where(second, c, 0))]
})
const lessOperation = define("less", none)
const lessEqualOperation = define("lessEqual", none)
const equalOperation = define("equal", none)
const whereOperation = define("where", (n, c) => [
  undefined,
  back(n, 1, where(n.inputs[0], c, 0)),
  back(n, 2, where(n.inputs[0], 0, c)),
])
const uniformOperation = define("uniform", none)

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
  const a = lift(x, dtype)
  const b = lift(y, dtype)
  if (a.dtype !== b.dtype) {
    throw new ShapeError({ message: `${operation.name} needs operands of one type, got ${a.dtype} and ${b.dtype}` })
  }
  return make(operation, [a, b], result ?? dtype)
}

/** -x */
export function neg(x: Operand): Tensor {
  return floats(negOperation, x)
}
/** e^x */
export function exp(x: Operand): Tensor {
  return floats(expOperation, x)
}
/** Natural logarithm. */
export function log(x: Operand): Tensor {
  return floats(logOperation, x)
}
/** Square root. */
export function sqrt(x: Operand): Tensor {
  return floats(sqrtOperation, x)
}
/** 1 / sqrt(x) */
export function rsqrt(x: Operand): Tensor {
  return floats(rsqrtOperation, x)
}
/** Hyperbolic tangent. */
export function tanh(x: Operand): Tensor {
  return floats(tanhOperation, x)
}
/** 1 / (1 + e^-x) */
export function sigmoid(x: Operand): Tensor {
  return floats(sigmoidOperation, x)
}
/** Gauss error function. */
export function erf(x: Operand): Tensor {
  return floats(erfOperation, x)
}
/** |x| */
export function abs(x: Operand): Tensor {
  return floats(absOperation, x)
}
/** The greatest integer not above x; its derivative is 0. */
export function floor(x: Operand): Tensor {
  return floats(floorOperation, x)
}
/** Sine of an angle in radians. */
export function sin(x: Operand): Tensor {
  return floats(sinOperation, x)
}
/** Cosine of an angle in radians. */
export function cos(x: Operand): Tensor {
  return floats(cosOperation, x)
}
/** i32 as f32. */
export function toFloat(x: Tensor): Tensor {
  return x.dtype === "f32" ? x : make(toFloatOperation, [x], "f32")
}
/** f32 as i32, cut towards zero. */
export function toInt(x: Tensor): Tensor {
  return x.dtype === "i32" ? x : make(toIntOperation, [x], "i32")
}
/** x + y, broadcast. */
export function add(x: Operand, y: Operand): Tensor {
  return pair(addOperation, x, y)
}
/** x - y, broadcast. */
export function sub(x: Operand, y: Operand): Tensor {
  return pair(subOperation, x, y)
}
/** x * y, broadcast. */
export function mul(x: Operand, y: Operand): Tensor {
  return pair(mulOperation, x, y)
}
/** x / y, broadcast. */
export function div(x: Operand, y: Operand): Tensor {
  return floats(divOperation, x, y)
}
/** The greater of two, broadcast. */
export function max(x: Operand, y: Operand): Tensor {
  return pair(maxOperation, x, y)
}
/** The smaller of two, broadcast. */
export function min(x: Operand, y: Operand): Tensor {
  return pair(minOperation, x, y)
}
/** 1 where x < y, else 0, as f32. */
export function less(x: Operand, y: Operand): Tensor {
  return pair(lessOperation, x, y, "f32")
}
/** 1 where x <= y, else 0, as f32. */
export function lessEqual(x: Operand, y: Operand): Tensor {
  return pair(lessEqualOperation, x, y, "f32")
}
/** 1 where x = y, else 0, as f32. */
export function equal(x: Operand, y: Operand): Tensor {
  return pair(equalOperation, x, y, "f32")
}
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

/**
 * Counter-based random numbers in [0, 1), f32: Threefry-2x32-20 (Salmon et al. 2011) of (place, salt) under a key of
 * two i32 scalars. The same key, salt and shape give the same numbers, on every backend.
 */
export function uniform(shape: Shape, salt: number, key: readonly [Tensor, Tensor]): Tensor {
  if (key.some(({ dtype }) => dtype !== "i32")) {
    throw new ShapeError({ message: `uniform needs a key of two i32 scalars, got ${key.map(({ dtype }) => dtype)}` })
  }
  const strides = stridesOf(shape)
  const terms = shape.map((_, axis) => mul(iotaLike(shape, axis), strides[axis]))
  const place = terms.length === 0 ? full(0, shape, "i32") : terms.reduce((a, b) => add(a, b))
  return make(uniformOperation, [place, full(salt, [], "i32"), key[0], key[1]], "f32")
}

function iotaLike(shape: Shape, axis: number): Tensor {
  return iota(shape.map((extent, a) => a === axis ? extent : 1), axis)
}
