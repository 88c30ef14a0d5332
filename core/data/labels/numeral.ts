/** A decimal number without rounding: 0.`digits` times ten to the power `point`. */
export interface Numeral {
  /** Whether the number is below zero. */
  readonly negative: boolean
  /** Significant digits, without zeros at either end; empty for zero. */
  readonly digits: string
  /** Position of the decimal point after the first significant digit. */
  readonly point: number
}

/** Parses decimal digits, `1e3` included; undefined for any other text. */
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

/** Negative, 0 or positive for `a` less than, equal to or greater than `b`. */
export const compareNumerals = (a: Numeral, b: Numeral): number => {
  const sign = (n: Numeral) => (n.digits === "" ? 0 : n.negative ? -1 : 1)
  if (sign(a) !== sign(b) || sign(a) === 0) return sign(a) - sign(b)
  const size = a.point - b.point || (a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : 0)
  return sign(a) * size
}

/** One text for all spellings of a number. */
export const numeralKey = ({ negative, digits, point }: Numeral): string => `${negative ? "-" : ""}.${digits}e${point}`

/** The digits of a whole number, with or without `.0` after it; undefined for any other text. */
export const wholeNumber = (text: string): string | undefined =>
  /^-?(?:0|[1-9]\d{0,14})(?=(\.0+)?$)/.exec(text)?.[0].replace(/^-0$/, "0")
