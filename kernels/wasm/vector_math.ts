/**
 * Functions of four f32 lanes that WebAssembly has no instruction for, written where they are used: a call would empty the
 * registers, and takes as long as half of `exp`.
 *
 * Errors against float64: exp, log, tanh, sigmoid within 4e-7 relative; erf, sin, cos within 1e-6 absolute (sin and cos
 * for |x| up to 1e4). NaN goes through; results too small for a normal number become 0. Polynomials are those of
 * Moshier's Cephes (single precision); erf and tanh are the rationals of Eigen.
 * @module
 */
import { PARITY, ROTATIONS } from "../../core/tensor/operations/threefry.ts"
import type { DType, UnaryName } from "../contract.ts"
import { COSINE, ERF_ABOVE, ERF_BELOW, EXP, LOG, SINE } from "../polynomials.ts"
import {
  type Code,
  f32x4,
  type FunctionScope,
  get,
  i32,
  i32x4,
  madd,
  type ModuleBuilder,
  set,
  type Target,
  v128,
} from "./assembler.ts"

/** Code of one number in all lanes. */
export interface Numbers {
  /** An f32. */
  readonly number: (value: number) => Code
  /** An i32. */
  readonly whole: (value: number) => Code
  /** Four i32, one in each lane. */
  readonly lanes: (a: number, b: number, c: number, d: number) => Code
}
/** Numbers that are read where they are used. */
const pooledNumbers = (module: ModuleBuilder): Numbers => ({
  number: (value) => module.pooled(f32x4.const(value)),
  whole: i32x4.const,
  lanes: (...four) => module.pooled(v128.const(...four)),
})

/** The instructions of one module and target that the bodies below share. */
interface Writer extends Numbers {
  /** Whether {@link madd} rounds once. */
  readonly fused: boolean
  /** `a * b + c`. */
  readonly madd: (a: Code, b: Code, c: Code) => Code
  /** Sum of powers of the local x, the highest first. */
  readonly polynomial: (x: number, coefficients: readonly number[]) => Code
}
/** Code of a function of the local x, which it may change. */
type Body = (writer: Writer, f: FunctionScope, x: number) => Code

const writerOf = (target: Target, numbers: Numbers): Writer => {
  const { number } = numbers
  return {
    ...numbers,
    fused: target.relaxed,
    madd: (a, b, c) => madd(target, a, b, c),
    polynomial: (x, [highest, ...rest]) =>
      rest.reduce((sum, c) => madd(target, sum, get(x), number(c)), number(highest)),
  }
}

/** 1.5 * 2^23: added to a small x, it leaves round(x) in the low bits. A rounding that costs one addition. */
export const ROUNDING = 12582912

/** 2^n * e^r, n = round(x / ln 2). The scale is 2^(n-1) and the polynomial is doubled, so that n = 128 needs no care. */
const exp: Body = ({ madd, number, whole, polynomial }, f, x) => {
  const [n, bits, r, clamped] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")]
  const SMALLEST = -86.9 // e^x is flushed to 0 below it: n must stay above -126
  return [
    set(clamped, f32x4.pmin(f32x4.pmax(get(x), number(SMALLEST)), number(89))),
    set(bits, madd(get(clamped), number(Math.LOG2E), number(ROUNDING))),
    set(n, f32x4.sub(get(bits), number(ROUNDING))),
    set(r, madd(get(n), number(-0.693359375), get(clamped))),
    set(r, madd(get(n), number(2.12194440e-4), get(r))),
    set(n, polynomial(r, EXP)),
    v128.andnot(
      f32x4.mul(get(n), i32x4.shl(i32x4.add(get(bits), whole(126)), i32.const(23))),
      f32x4.lt(get(x), number(SMALLEST)),
    ),
  ]
}

/** log(m * 2^e) with m in [sqrt(1/2), sqrt(2)). */
const log: Body = ({ madd, number, whole, polynomial }, f, x) => {
  const [m, e, t, z] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")]
  const subnormal = f32x4.lt(get(x), number(2 ** -126))
  return [
    set(m, v128.bitselect(f32x4.mul(get(x), number(2 ** 23)), get(x), subnormal)),
    set(e, i32x4.shrS(i32x4.sub(get(m), whole(0x3f3504f3)), i32.const(23))),
    set(m, f32x4.sub(i32x4.sub(get(m), i32x4.shl(get(e), i32.const(23))), number(1))),
    set(e, f32x4.convertS(i32x4.sub(get(e), v128.and(whole(23), subnormal)))),
    set(z, f32x4.mul(get(m), get(m))),
    set(t, polynomial(m, LOG)),
    set(t, f32x4.mul(f32x4.mul(get(t), get(m)), get(z))),
    set(t, madd(get(e), number(-2.12194440e-4), get(t))),
    set(t, f32x4.add(madd(get(z), number(-0.5), get(t)), get(m))),
    set(t, madd(get(e), number(0.693359375), get(t))),
    set(t, v128.bitselect(number(-Infinity), get(t), f32x4.eq(get(x), number(0)))),
    set(t, v128.bitselect(get(t), get(x), f32x4.lt(get(x), number(Infinity)))), // infinity and NaN
    v128.or(get(t), f32x4.lt(get(x), number(0))), // all ones is a NaN
  ]
}

/** x * P(x^2) / Q(x^2) on [-limit, limit], and beyond what it is at the limit. Coefficients: the highest power first. */
const rational = (
  { number, polynomial }: Writer,
  f: FunctionScope,
  x: number,
  limit: number,
  above: readonly number[],
  below: readonly number[],
): Code => {
  const z = f.local("v128")
  return [
    set(x, f32x4.pmin(f32x4.pmax(get(x), number(-limit)), number(limit))),
    set(z, f32x4.mul(get(x), get(x))),
    f32x4.div(f32x4.mul(get(x), polynomial(z, above)), polynomial(z, below)),
  ]
}

/** x * P(x^2) / Q(x^2), up to where that rounds to 1: with fused additions, and without. */
const tanh: Body = (writer, f, x) =>
  rational(
    writer,
    f,
    x,
    writer.fused ? 7.99881172180175781 : 7.90531110763549805,
    [
      -2.76076847742355e-16,
      2.00018790482477e-13,
      -8.60467152213735e-11,
      5.12229709037114e-08,
      1.48572235717979e-05,
      6.37261928875436e-04,
      4.89352455891786e-03,
    ],
    [1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03],
  )

const sigmoid: Body = (writer, f, x) => {
  const one = writer.number(1)
  return [set(x, f32x4.neg(get(x))), f32x4.div(one, f32x4.add(one, exp(writer, f, x)))]
}

/** x * P(x^2) / Q(x^2), on [-4, 4], where it reaches 1. */
const erf: Body = (writer, f, x) => rational(writer, f, x, 4, ERF_ABOVE, ERF_BELOW)

/** sin(x + quarters * pi/2): x = n * pi/2 + r (Cody and Waite in three parts), then one of two polynomials. */
const sine = (quarters: number): Body => ({ madd, number, whole, polynomial }, f, x) => {
  const [n, q, r, z, cosine] = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")]
  const part = (by: number, rest: number): Code => madd(get(n), number(-by), get(rest))
  return [
    set(q, madd(get(x), number(2 / Math.PI), number(ROUNDING))),
    set(n, f32x4.sub(get(q), number(ROUNDING))),
    set(r, part(1.5703125, x)),
    set(r, part(4.837512969970703125e-4, r)),
    set(r, part(7.54978995489188e-8, r)),
    set(q, i32x4.add(get(q), whole(quarters))),
    set(z, f32x4.mul(get(r), get(r))),
    set(cosine, polynomial(z, COSINE)),
    set(
      r,
      madd(
        f32x4.mul(polynomial(z, SINE), get(z)),
        get(r),
        get(r),
      ),
    ),
    v128.xor(
      v128.bitselect(get(cosine), get(r), i32x4.neg(v128.and(get(q), whole(1)))),
      i32x4.shl(v128.and(get(q), whole(2)), i32.const(30)),
    ),
  ]
}

const FUNCTIONS = {
  exp,
  log,
  tanh,
  sigmoid,
  erf,
  sin: sine(0),
  cos: sine(1),
} satisfies Partial<Record<UnaryName, Body>>

/** Threefry-2x32, 20 rounds, four counters at once: see `core/tensor/operations/threefry.ts`. */
const uniform = (f: FunctionScope, index: number, salt: number, key0: number, key1: number): Code => {
  const [x0, x1, key2] = [index, salt, f.local("v128")]
  const key = [key0, key1, key2]
  return [
    set(key2, v128.xor(v128.xor(get(key0), get(key1)), i32x4.const(PARITY))),
    set(x0, i32x4.add(get(x0), get(key0))),
    set(x1, i32x4.add(get(x1), get(key1))),
    Array.from({ length: 20 }, (_, round): Code => {
      const rotation = ROTATIONS[round % 8]
      const injection = (round + 1) / 4
      return [
        set(x0, i32x4.add(get(x0), get(x1))),
        set(
          x1,
          v128.xor(
            v128.or(i32x4.shl(get(x1), i32.const(rotation)), i32x4.shrU(get(x1), i32.const(32 - rotation))),
            get(x0),
          ),
        ),
        round % 4 !== 3 ? [] : [
          set(x0, i32x4.add(get(x0), get(key[injection % 3]))),
          set(x1, i32x4.add(i32x4.add(get(x1), get(key[(injection + 1) % 3])), i32x4.const(injection))),
        ],
      ]
    }),
    f32x4.mul(f32x4.convertS(i32x4.shrU(get(x0), i32.const(8))), f32x4.const(2 ** -24)),
  ]
}

/** Index of the function `(index, salt, key0, key1)`, all v128, which is too long to be written at every use. */
export const uniformFunction = (module: ModuleBuilder): number =>
  module.once("uniform", () => module.func("uniform", ["v128", "v128", "v128", "v128"], ["v128"], uniform))

/**
 * Any unary function of the contract on four lanes, within the function of that scope. `dtype` is the result's.
 *
 * @param numbers Where its constants come from. Default: read where they are used.
 */
export const vectorUnary = (
  module: ModuleBuilder,
  target: Target,
  f: FunctionScope,
  name: UnaryName,
  dtype: DType,
  x: Code,
  numbers: Numbers = pooledNumbers(module),
): Code => {
  const lanes = dtype === "f32" ? f32x4 : i32x4
  switch (name) {
    case "neg":
      return lanes.neg(x)
    case "abs":
      return lanes.abs(x)
    case "sqrt":
      return f32x4.sqrt(x)
    case "rsqrt":
      return f32x4.div(numbers.number(1), f32x4.sqrt(x))
    case "floor":
      return f32x4.floor(x)
    case "toFloat":
      return f32x4.convertS(x)
    case "toInt":
      return i32x4.truncSat(x)
    default: {
      const local = f.local("v128")
      return [set(local, x), FUNCTIONS[name](writerOf(target, numbers), f, local)]
    }
  }
}
