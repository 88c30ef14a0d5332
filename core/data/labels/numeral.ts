/** A number as decimal digits: 0.`digits` times ten to the power `point`. No digit is lost, as a float loses them. */
export interface Numeral {
  /** Whether the number lies below zero. */
  readonly negative: boolean
  /** Significant digits, without zeros at either end; empty for zero. */
  readonly digits: string
  /** Place of the decimal point, counted from the first significant digit. */
  readonly point: number
}

/** The number that a text writes out in decimal digits, `1e3` included; undefined for any other text. */
export const numeralOf = (text: string): Numeral | undefined => {
  const [, sign, whole, fraction = "", exponent = "0"] =
    /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,6}))?$/i.exec(text) ?? []
  if (sign === undefined) return undefined
  const all = whole + fraction
  const digits = all.replace(/^0+/, "")
  if (digits === "") return { negative: false, digits, point: 0 }
  return {
    negative: sign === "-",
    digits: digits.replace(/0+$/, ""),
    point: whole.length - (all.length - digits.length) + Number(exponent),
  }
}

/** Below 0, 0 or above 0, as `a` is less than, equal to or greater than `b`. */
export const compareNumerals = (a: Numeral, b: Numeral): number => {
  const sign = (n: Numeral) => (n.digits === "" ? 0 : n.negative ? -1 : 1)
  if (sign(a) !== sign(b) || sign(a) === 0) return sign(a) - sign(b)
  const size = a.point - b.point || (a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : 0)
  return sign(a) * size
}

/** The same text for all spellings of a number. */
export const numeralKey = ({ negative, digits, point }: Numeral): string => `${negative ? "-" : ""}.${digits}e${point}`

/** The whole number that a text stands for as an id does: digits, with `.0` after them at most; else undefined. */
export const wholeNumber = (text: string): string | undefined =>
  /^-?(?:0|[1-9]\d{0,14})(?=(\.0+)?$)/.exec(text)?.[0].replace(/^-0$/, "0")
