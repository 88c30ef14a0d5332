/** An expression that a text has worked out, such as `48/2 = 24`. */
export interface Equation {
  /** Where it begins. */
  readonly begin: number
  /** The numbers of the expression. */
  readonly operands: ReadonlyArray<number>
  /** What stands behind the sign. */
  readonly result: number
  /** Whether the expression has that value. */
  readonly holds: boolean
}

/** A number in digits as it stands in a text: `$1,200.50`, `-3`, `25%`. A dot that ends a sentence is no part of it. */
export const NUMBER = /\d+(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+/g

/** The value of a {@link NUMBER}. */
export const valueOf = (digits: string): number => Number(digits.replaceAll(",", ""))

const EQUATION = /([$£€(]*\d[\d.,$£€%()+*/x×÷\-– ]*)=\s*[$£€]*\s*(-?\s*[\d,]*\.?\d+)/g

/** Whether a written result is a value: whole, or rounded to the places that it has. */
const isValue = (written: string, value: number): boolean => {
  const places = written.split(".")[1]?.length ?? 0
  return Math.abs(valueOf(written) - value) <= (places === 0 ? 1e-6 : 0.5001 * 10 ** -places)
}

/** The equations of a text, in their order. */
export function equationsOf(text: string): ReadonlyArray<Equation> {
  return Array.from(text.matchAll(EQUATION)).flatMap(({ index: begin, 1: left, 2: right }) => {
    const tokens = tokensOf(left)
    const value = tokens.length < 3 ? undefined : evaluate(tokens)
    if (value === undefined) return []
    const operands = tokens.filter((token) => typeof token === "number")
    const written = right.replace(/\s/g, "")
    return [{ begin, operands, result: valueOf(written), holds: isValue(written, value) }]
  })
}

type Token = number | string

/** Numbers, operators and parentheses; a percentage is a hundredth. */
function tokensOf(expression: string): Array<Token> {
  const plain = expression.replace(/[$£€ ]/g, "").replace(/[x×]/g, "*").replaceAll("÷", "/").replaceAll("–", "-")
  return Array.from(
    plain.matchAll(/(\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(%?)|[+\-*/()]/g),
    ([whole, digits, percent]) => digits === undefined ? whole : valueOf(digits) / (percent === "%" ? 100 : 1),
  )
}

/** The value of an expression; undefined for one that is none. Products go before sums. */
function evaluate(tokens: ReadonlyArray<Token>): number | undefined {
  let at = 0
  const atom = (): number => {
    const token = tokens[at++]
    if (typeof token === "number") return token
    if (token === "-") return -atom()
    if (token !== "(") return NaN
    const value = sum()
    return tokens[at++] === ")" ? value : NaN
  }
  const product = (): number => {
    let value = atom()
    while (tokens[at] === "*" || tokens[at] === "/") value = tokens[at++] === "*" ? value * atom() : value / atom()
    return value
  }
  const sum = (): number => {
    let value = product()
    while (tokens[at] === "+" || tokens[at] === "-") {
      value = tokens[at++] === "+" ? value + product() : value - product()
    }
    return value
  }
  const value = sum()
  return at === tokens.length && Number.isFinite(value) ? value : undefined
}
