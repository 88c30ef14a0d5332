/**
 * Functions of a real number that accounting needs to full precision where `Math` has none.
 * @module
 */

/** `erfc(x) * exp(x * x)` for x of at least 2, by Laplace's continued fraction. */
function scaledTail(x: number): number {
  let tail = 0
  for (let k = Math.ceil(120 / x) + 8; k >= 1; k--) tail = k / 2 / (x + tail)
  return 1 / (x + tail) / Math.sqrt(Math.PI)
}

/** The error function for |x| below 2, by its series of positive terms: Abramowitz and Stegun 7.1.6. */
function errorFunction(x: number): number {
  let term = x, sum = x
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= 2 * x * x / (2 * n + 1)
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum
}

/** The complementary error function. */
export function erfc(x: number): number {
  if (x < -2) return 2 - erfc(-x)
  return x < 2 ? 1 - errorFunction(x) : scaledTail(x) * Math.exp(-x * x)
}

/** Logarithm of {@link erfc}, finite where that one underflows. */
export function logErfc(x: number): number {
  return x < 2 ? Math.log(erfc(x)) : Math.log(scaledTail(x)) - x * x
}

/** Distribution function of the standard normal distribution, within 1e-16. */
export function normalCdf(x: number): number {
  if (Math.abs(x) > 9) return x < 0 ? 0 : 1
  return erfc(-x / Math.SQRT2) / 2
}

/** `log(exp(a) + exp(b))`. */
export function logAdd(a: number, b: number): number {
  const most = Math.max(a, b)
  return most === -Infinity ? most : most + Math.log1p(Math.exp(Math.min(a, b) - most))
}

/** `log(exp(a) - exp(b))` for a of at least b. */
export function logSubtract(a: number, b: number): number {
  return b === -Infinity ? a : a + Math.log(-Math.expm1(b - a))
}
