import { equationsOf, NUMBER, valueOf } from "./arithmetic.ts"
import type { Fact, FactCheck } from "./fact_check.ts"

/** A question, and the number that answers it. */
export interface NumberQuestion {
  /** The question, whose numbers are evidence. */
  readonly question: string
  /** The number that answers it, where it is known. */
  readonly answer?: number
}

/** Options of {@link numbers}. */
export interface NumbersOptions {
  /** Numbers that need no evidence. Default: those of weeks, months, days, hours, minutes, per cent and dozens. */
  readonly known?: ReadonlyArray<number>
}

const KNOWN = [1, 2, 4, 7, 12, 24, 30, 52, 60, 100, 365]

/** What words say of numbers. */
const WORDS: Readonly<Record<string, ReadonlyArray<number>>> = Object.fromEntries([
  ...("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " +
    "eighteen nineteen").split(" ").map((word, i) => [word, [i]] as const),
  ..."twenty thirty forty fifty sixty seventy eighty ninety hundred".split(" ").map((word, i) => [word, [20 + 10 * i]]),
  ["once", [1]],
  ["twice", [2]],
  ["double", [2]],
  ["triple", [3]],
  ["thrice", [3]],
  ["dozen", [12]],
  ["half", [2, 0.5, 50]],
  ["third", [3]],
  ["thirds", [3]],
  ["quarter", [4, 0.25, 25]],
  ["quarters", [4]],
  ["fourth", [4]],
  ["fifth", [5]],
  ["sixth", [6]],
  ["tenth", [10]],
  ["thousand", [1000]],
  ["million", [1e6]],
])

/** The numbers that a question gives, in digits and in words; of per cent also the hundredth and what is left. */
function givenBy(question: string): ReadonlyArray<number> {
  const digits = Array.from(question.matchAll(NUMBER), ({ 0: one, index }) => {
    const value = valueOf(one)
    return question[index + one.length] === "%" ? [value, value / 100, 100 - value, 1 - value / 100] : [value]
  })
  const words = question.toLowerCase().match(/[a-z]+/g) ?? []
  return [...digits.flat(), ...words.flatMap((word) => Object.hasOwn(WORDS, word) ? WORDS[word] : [])]
}

/** The last number of a text, or the one after `####` as GSM8K marks it; undefined without one. */
export function finalNumber(text: string): number | undefined {
  const marked = /####\s*[$£€]?\s*(-?[\d,]*\.?\d+)/.exec(text)?.[1]
  const last = marked ?? text.match(/-?\d[\d,]*(?:\.\d+)?/g)?.at(-1)
  return last === undefined ? undefined : valueOf(last.replace(/,$/, ""))
}

/**
 * Compares the numbers of a worked answer with its question. A number is supported where the question has it, or where an
 * equation of the answer that holds gives it from supported ones. What an answer should say is its final number.
 */
export const numbers = ({ known = KNOWN }: NumbersOptions = {}): FactCheck<NumberQuestion> => ({
  name: "numbers",
  judge: (text, { question, answer }) => {
    const supported = new Set([...known, ...givenBy(question)])
    // An equation may use the result of a later line.
    const equations = equationsOf(text)
    for (let before = -1; before < supported.size;) {
      before = supported.size
      for (const { holds, operands, result } of equations) {
        if (holds && operands.every((one) => supported.has(one))) supported.add(result)
      }
    }
    const stated: ReadonlyArray<Fact> = Array.from(
      text.matchAll(NUMBER),
      ([digits]) => ({ name: "number", value: String(valueOf(digits)) }),
    )
    const isSupported = ({ value }: Fact) => supported.has(Number(value))
    const expected: ReadonlyArray<Fact> = answer === undefined ? [] : [{ name: "answer", value: String(answer) }]
    const isRight = finalNumber(text) === answer
    return {
      supported: stated.filter(isSupported),
      unsupported: stated.filter((fact) => !isSupported(fact)),
      covered: isRight ? expected : [],
      missing: isRight ? [] : expected,
    }
  },
})
