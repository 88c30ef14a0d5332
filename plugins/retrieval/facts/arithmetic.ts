/** An expression that a text has worked out, such as `48/2 = 24`. */
export interface Equation {
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

/** Operators as words. */
const SPELLED: ReadonlyArray<readonly [RegExp, string]> = [
  [/\b(?:times|multiplied by)\b/g, "*"],
  [/\bdivided by\b/g, "/"],
  [/\bplus\b/g, "+"],
  [/\bminus\b/g, "-"],
  [/\b(?:equals|is equal to)\b/g, "="],
]

/** Whether a written result is a value: whole, or rounded to the places that it has. */
const isValue = (written: string, value: number): boolean => {
  const places = written.split(".")[1]?.length ?? 0
  return Math.abs(valueOf(written) - value) <= (places === 0 ? 1e-6 : 0.5001 * 10 ** -places)
}

/** The equations of a text, in their order. Units and other words between numbers and operators play no part. */
export function equationsOf(text: string): ReadonlyArray<Equation> {
  const plain = SPELLED.reduce((text, [word, sign]) => text.replace(word, sign), text)
  // A part without a sign before it is no right side.
  return plain.split(/[\n;]|[.!?]\s/).flatMap((line) => {
    const sides = line.split("=")
    return sides.slice(1).flatMap((right, i) => {
      const written = /^\s*[$£€]?\s*(-?\s*(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+))/.exec(right)?.[1].replace(/\s/g, "")
      const found = written === undefined ? undefined : expressionOf(tokensOf(sides[i]))
      if (written === undefined || found === undefined) return []
      const { operands, value } = found
      return [{ operands, result: valueOf(written), holds: isValue(written, value) }]
    })
  })
}

type Token = number | string

/** The longest end of tokens that is an expression with an operator. */
function expressionOf(tokens: ReadonlyArray<Token>) {
  for (let from = 0; from + 3 <= tokens.length; from++) {
    const own = tokens.slice(from)
    const value = evaluate(own)
    if (value !== undefined) return { operands: own.filter((token) => typeof token === "number"), value }
  }
  return undefined
}

/** A number, or an operator with a number behind it: `5 ducks/pond x 3 ponds` has one operator. */
const TOKEN = /(\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(%?)|[()]|[+\-–−*/x×÷](?=\s*[$£€(]*\s*(?:\d|\.\d))/g
const SIGNS: Readonly<Record<string, string>> = { x: "*", "×": "*", "÷": "/", "–": "-", "−": "-" }

/** Numbers, operators and parentheses; a percentage is a hundredth. */
function tokensOf(expression: string): Array<Token> {
  return Array.from(
    expression.matchAll(TOKEN),
    ([whole, digits, percent]) =>
      digits === undefined ? SIGNS[whole] ?? whole : valueOf(digits) / (percent === "%" ? 100 : 1),
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
