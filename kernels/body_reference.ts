/**
 * Float64 meaning of the fused expressions in `rows` and `columns`.
 * @module
 */
import { uniformAt } from "../core/tensor/threefry.ts"
import type { ElementwiseName, Instruction } from "./contract.ts"

/** Contents of a program's buffers, by number; i32 elements are whole numbers. */
export type ReferenceBuffers = ReadonlyArray<Float64Array>

/** erf by its Maclaurin series for small |x|, and by the continued fraction of erfc beyond (Lentz); near 1e-15. */
const erf = (x: number): number => {
  const a = Math.abs(x)
  if (!(a > 0)) return x
  if (a < 3) {
    let term = a, sum = a
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= -a * a / n
      sum += term / (2 * n + 1)
    }
    return Math.sign(x) * 2 / Math.sqrt(Math.PI) * sum
  }
  let fraction = 0
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction)
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction))
}

/** One elementwise operation on float64 numbers; with `dtype` i32, integers that wrap. */
export const evaluate = (op: ElementwiseName, dtype: "f32" | "i32", args: ReadonlyArray<number>): number => {
  const [a, b, c, d] = args
  const whole = dtype === "i32"
  switch (op) {
    case "neg":
      return whole ? -a | 0 : -a
    case "exp":
      return Math.exp(a)
    case "log":
      return Math.log(a)
    case "sqrt":
      return Math.sqrt(a)
    case "rsqrt":
      return 1 / Math.sqrt(a)
    case "tanh":
      return Math.tanh(a)
    case "sigmoid":
      return 1 / (1 + Math.exp(-a))
    case "erf":
      return erf(a)
    case "abs":
      return whole ? Math.abs(a) | 0 : Math.abs(a)
    case "floor":
      return Math.floor(a)
    case "sin":
      return Math.sin(a)
    case "cos":
      return Math.cos(a)
    case "toFloat":
      return a
    case "toInt":
      return Number.isNaN(a) ? 0 : Math.max(-2147483648, Math.min(2147483647, Math.trunc(a)))
    case "add":
      return whole ? (a + b) | 0 : a + b
    case "sub":
      return whole ? (a - b) | 0 : a - b
    case "mul":
      return whole ? Math.imul(a, b) : a * b
    case "div":
      return a / b
    case "max":
      return Math.max(a, b)
    case "min":
      return Math.min(a, b)
    case "less":
      return a < b ? 1 : 0
    case "lessEqual":
      return a <= b ? 1 : 0
    case "equal":
      return a === b ? 1 : 0
    case "where":
      return a !== 0 ? b : c
    case "uniform":
      return uniformAt(a, b, c, d)
  }
}

/**
 * Evaluates one step that is not a reduction at one place.
 *
 * @param values Results of the earlier steps at this place.
 * @param load Reads an operand here.
 * @param index Coordinates of the place.
 */
export const evaluateStep = (
  step: Exclude<Instruction, { op: "reduce" }>,
  values: ReadonlyArray<number>,
  load: (operand: number) => number,
  index: ReadonlyArray<number>,
): number => {
  switch (step.op) {
    case "load":
      return load(step.operand)
    case "constant":
      return step.dtype === "i32" ? step.value | 0 : step.value
    case "index":
      return index[step.axis]
    default:
      return evaluate(step.op, step.dtype, step.args.map((argument) => values[argument]))
  }
}
