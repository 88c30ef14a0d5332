import { type Expression, grown } from "../expression.ts"

/** Limits of a number. */
export interface Limits {
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
}

/** Significant digits of a decimal number that a double tells from all others. */
const DIGITS = 15
/** Fewest digits after the point of numbers that are not whole. */
const FRACTION = 3

/** A number as `digits` times ten to the `exponent`. */
function decimal(value: number): { readonly digits: bigint; readonly exponent: number } {
  const [mantissa, exponent] = value.toExponential().split("e")
  const [whole, fraction = ""] = mantissa.split(".")
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length }
}

/** Digits after the point. */
const places = (value: number): number => Math.max(0, -decimal(value).exponent)

/** Whether a step can be kept to exactly, beside these limits. */
export const isExact = (step: number, limits: Limits): boolean =>
  places(step) <= fractionOf(Object.values(limits).filter((value) => value !== undefined))

/** A number in units of ten to the minus `fraction`, rounded down, or up. */
function inUnits(value: number, fraction: number, up: boolean): bigint {
  const { digits, exponent } = decimal(value)
  const shift = exponent + fraction
  if (shift >= 0) return digits * 10n ** BigInt(shift)
  const unit = 10n ** BigInt(-shift)
  const [quotient, rest] = [digits / unit, digits % unit]
  return rest === 0n ? quotient : up ? quotient + (rest > 0n ? 1n : 0n) : quotient - (rest < 0n ? 1n : 0n)
}

/** Digits after the point that numbers within limits are written with. */
function fractionOf(given: ReadonlyArray<number>): number {
  const before = Math.max(
    1,
    ...given.filter(Number.isFinite).map((value) => String(Math.trunc(Math.abs(value))).length),
  )
  return Math.max(0, Math.min(DIGITS - before, Math.max(FRACTION, ...given.map((value) => places(value) + 1))))
}

/** Numbers of JSON within limits, without exponents. Bounds must be below 1e15, whole ones safe integers. */
export function numbers(whole: boolean, limits: Limits): Expression {
  const given = Object.values(limits).filter((value) => value !== undefined)
  const fraction = whole ? 0 : fractionOf(given)
  const unit = (value: number, up: boolean) => inUnits(value, fraction, up)
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum, multipleOf } = limits
  const most = whole ? BigInt(Number.MAX_SAFE_INTEGER) : 10n ** BigInt(DIGITS) - 1n
  const low = [
    -most,
    ...minimum === undefined ? [] : [unit(minimum, true)],
    ...exclusiveMinimum === undefined ? [] : [unit(exclusiveMinimum, false) + 1n],
  ].reduce((a, b) => a > b ? a : b)
  const high = [
    most,
    ...maximum === undefined ? [] : [unit(maximum, false)],
    ...exclusiveMaximum === undefined ? [] : [unit(exclusiveMaximum, true) - 1n],
  ].reduce((a, b) => a < b ? a : b)
  const step = multipleOf === undefined ? 1n : unit(multipleOf, true)
  /** Whether a multiple lies in both ranges. */
  const meets = (from: bigint, to: bigint): boolean => {
    const [first, last] = [from > low ? from : low, to < high ? to : high]
    if (first > last) return false
    const up = first >= 0n ? (first + step - 1n) / step * step : -(-first / step * step)
    return up <= last
  }
  return grown(whole ? "-0123456789" : LETTERS, growth(fraction, most, meets))
}

const LETTERS = "-.0123456789"

/** What may follow the beginning of a number. */
function growth(fraction: number, most: bigint, meets: (from: bigint, to: bigint) => boolean) {
  const ten = (power: number) => 10n ** BigInt(power)
  const signed = (negative: boolean, from: bigint, to: bigint) =>
    negative ? to > 0n && meets(-to, from > 0n ? -from : -1n) : meets(from, to)
  const parts = (text: string) => /^(-?)(0|[1-9]\d*)?(\.\d*)?$/.exec(text)
  const able = (text: string): boolean => {
    const match = parts(text)
    if (match === null) return false
    const [, sign, digits, point] = match
    const negative = sign === "-"
    if (digits === undefined) return point === undefined && signed(negative, 0n, most)
    const start = BigInt(digits) * ten(fraction)
    if (point !== undefined) {
      const count = point.length - 1
      if (count > fraction || fraction === 0) return false
      const from = start + BigInt(point.slice(1) || "0") * ten(fraction - count)
      return signed(negative, from, from + ten(fraction - count) - 1n)
    }
    if (digits === "0") return signed(negative, 0n, ten(fraction) - 1n)
    for (let more = 1n; start * more <= most; more *= 10n) {
      if (signed(negative, start * more, (start + ten(fraction)) * more - 1n)) return true
    }
    return false
  }
  const ends = (text: string): boolean => {
    const match = parts(text)
    if (match === null || match[2] === undefined || match[3] === ".") return false
    const [, sign, digits, point = "."] = match
    const value = BigInt(digits + point.slice(1).padEnd(fraction, "0"))
    return signed(sign === "-", value, value)
  }
  return (text: string) => ({ ends: ends(text), next: [...LETTERS].filter((letter) => able(text + letter)).join("") })
}
