/**
 * Float64 meaning of the elementwise operations: what graphs are folded by, and what kernels are measured against.
 * @module
 */
import type { DType } from "./dtype.ts"
import { uniformAt } from "./operations/threefry.ts"

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

type Apply = (...values: number[]) => number

const functions: Readonly<Record<string, Apply>> = {
  neg: (x) => -x,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  erf,
  abs: Math.abs,
  floor: Math.floor,
  sin: Math.sin,
  cos: Math.cos,
  toFloat: (x) => x,
  toInt: (x) => Number.isNaN(x) ? 0 : Math.max(-2147483648, Math.min(2147483647, Math.trunc(x))),
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  max: Math.max,
  min: Math.min,
  less: (x, y) => x < y ? 1 : 0,
  lessEqual: (x, y) => x <= y ? 1 : 0,
  equal: (x, y) => x === y ? 1 : 0,
  where: (c, x, y) => c !== 0 ? x : y,
  uniform: uniformAt,
}

/** Integers wrap. */
const integers: Readonly<Record<string, Apply>> = {
  add: (x, y) => (x + y) | 0,
  sub: (x, y) => (x - y) | 0,
  mul: Math.imul,
}

/** The function of an elementwise operation that gives `dtype`, by its name. */
export function scalarFunction(name: string, dtype: DType): (...values: number[]) => number {
  return dtype === "i32" && Object.hasOwn(integers, name) ? integers[name] : functions[name]
}
