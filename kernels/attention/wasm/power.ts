/**
 * Powers of two of four lanes, written where they are used: a softmax takes as many of them as it has scores.
 * @module
 */
import { type Code, f32x4, get, i32, i32x4, madd, set, type Target } from "../../wasm/assembler.ts"
import { ROUNDING } from "../../wasm/vector_math.ts"

/** Leaves round(x) in the low bits, as the exponent of 2^round(x). */
const EXPONENT = ROUNDING + 127
/** 2^f on [-1/2, 1/2] to 1e-7, exact at 0: minimax, the highest power first. */
const COEFFICIENTS = [
  0.001326472731307149,
  0.009671512991189957,
  0.05550733581185341,
  0.24022242426872253,
  0.6931470036506653,
  1,
]

/**
 * 2^x for x up to 127; 0 below -127, NaN of NaN. `x` and `n` are v128 locals; x holds the argument and is overwritten.
 */
export const powerOfTwo = (target: Target, number: (value: number) => Code, x: number, n: number): Code => [
  // Exactly 0 at the bound: so are the exponent's bits.
  set(x, f32x4.pmax(get(x), number(-127))),
  set(n, f32x4.add(get(x), number(EXPONENT))),
  set(x, f32x4.sub(get(x), f32x4.sub(get(n), number(EXPONENT)))),
  f32x4.mul(
    COEFFICIENTS.slice(1).reduce((sum, c) => madd(target, sum, get(x), number(c)), number(COEFFICIENTS[0])),
    i32x4.shl(get(n), i32.const(23)),
  ),
]
