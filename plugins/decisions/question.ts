import type { DecisionConfig } from "./decision_config.ts"
import { DecisionError } from "./decision_error.ts"

/** What a description may be: a text, or JSON. */
export type Description = string | { readonly [name: string]: unknown } | ReadonlyArray<unknown>

/** One of some options. */
export interface ChoiceQuestion {
  /** Which kind it is. */
  readonly type: "choice"
  /** What is asked. Default: nothing. */
  readonly instructions?: Description | null
  /** Options with their descriptions. */
  readonly criteria: Readonly<Record<string, Description | null>>
}

/** A place on an ordered scale. */
export interface ScoreQuestion {
  /** Which kind it is. */
  readonly type: "score"
  /** What is asked. Default: nothing. */
  readonly instructions?: Description | null
  /** Levels, the lowest first. */
  readonly criteria: ReadonlyArray<Description>
}

/** The probability of yes, which transformers calls "noul". */
export interface YesQuestion {
  /** Which kind it is. */
  readonly type: "noul"
  /** What is asked. Default: nothing. */
  readonly instructions?: Description | null
  /** What true and false mean. Default: nothing is said of them. */
  readonly criteria?: Readonly<Partial<Record<"true" | "false", Description | null>>> | null
}

/** A question over given options. */
export type Question = ChoiceQuestion | ScoreQuestion | YesQuestion

/** Questions about one state. */
export interface DecisionRequest {
  /** What the questions are about: a text, or JSON. */
  readonly state: unknown
  /** Questions by name. */
  readonly questions: Readonly<Record<string, Question>>
}

/** The answer to a {@link YesQuestion}. */
export interface YesAnswer {
  /** Which kind it is. */
  readonly type: "noul"
  /** Probability of true. */
  readonly noul: number
}
/** The answer to a {@link ChoiceQuestion}. */
export interface ChoiceAnswer {
  /** Which kind it is. */
  readonly type: "choice"
  /** The likeliest option. */
  readonly choice: string
  /** 0 (as likely as all others) to 1. */
  readonly confidence: number
  /** Probabilities of the options. */
  readonly probabilities: Readonly<Record<string, number>>
}
/** The answer to a {@link ScoreQuestion}. */
export interface ScoreAnswer {
  /** Which kind it is. */
  readonly type: "score"
  /** The mean level: 0 is the lowest. */
  readonly score: number
  /** Descriptions of the levels. */
  readonly legend: Readonly<Record<string, Description>>
  /** 0 (as spread as can be) to 1. */
  readonly confidence: number
  /** Probabilities of the levels. */
  readonly probabilities: Readonly<Record<string, number>>
}
/** The answer to a question. */
export type DecisionAnswer = YesAnswer | ChoiceAnswer | ScoreAnswer

/** A question as templates read it. */
export interface Posed {
  readonly name: string
  readonly type: Question["type"]
  readonly instructions: Description | null
  readonly options: ReadonlyArray<string>
  readonly labels: ReadonlyArray<string>
  readonly descriptions: ReadonlyArray<Description | null>
}

const LETTERS = Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
const wrong = (name: string, message: string) =>
  new DecisionError({ reason: "Question", message: `question "${name}": ${message}` })
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Options with their descriptions, in the order of the template. */
function optionsOf(name: string, { type, criteria }: Question, { noulOptions }: DecisionConfig) {
  if (type === "noul") {
    const given: YesQuestion["criteria"] = criteria ?? {}
    const strange = Object.keys(given).find((name) => !noulOptions.includes(name as "true"))
    if (strange !== undefined) throw wrong(name, `criteria of a noul question are true and false, got "${strange}"`)
    return noulOptions.map((option) => [option, given[option] ?? null] as const)
  }
  const fits = type === "choice" ? isObject(criteria) : Array.isArray(criteria)
  const all = fits ? Object.entries<Description | null>(criteria) : []
  if (all.length > 0) return all
  throw wrong(name, `criteria must be ${type === "choice" ? "an object of options" : "a list of levels"}, at least one`)
}

/** A question as a template reads it. Throws {@link DecisionError}. */
export function posed(name: string, question: Question, config: DecisionConfig): Posed {
  const types = ["noul", "choice", "score"]
  if (!isObject(question) || !types.includes(question.type)) {
    throw wrong(
      name,
      `type must be one of ${types.join(", ")}, got ${JSON.stringify(isObject(question) ? question.type : question)}`,
    )
  }
  const strange = Object.keys(question).find((field) => !["type", "instructions", "criteria"].includes(field))
  if (strange !== undefined) throw wrong(name, `has the unknown field "${strange}"`)
  const options = optionsOf(name, question, config)
  const labels = config.labels[question.type] ?? (question.type === "noul" ? ["Yes", "No"] : LETTERS)
  if (labels.length < options.length) {
    throw wrong(
      name,
      `the model reads at most ${labels.length} options for a ${question.type} question, got ${options.length}`,
    )
  }
  return {
    name,
    type: question.type,
    instructions: question.instructions ?? null,
    options: options.map(([option]) => option),
    labels: labels.slice(0, options.length),
    descriptions: options.map(([, description]) => description),
  }
}

/** The answer that probabilities of the options give, as transformers has it. */
export function answerOf({ type, options, descriptions }: Posed, shares: ReadonlyArray<number>): DecisionAnswer {
  const probabilities = Object.fromEntries(options.map((option, i) => [option, shares[i]]))
  if (type === "noul") return { type, noul: probabilities.true }
  const count = options.length
  const best = shares.indexOf(Math.max(...shares))
  const above = (share: number) => Math.max(0, share)
  if (type === "choice") {
    const confidence = count === 1 ? 1 : above((shares[best] - 1 / count) / (1 - 1 / count))
    return { type, choice: options[best], confidence, probabilities }
  }
  const mean = (of: (level: number) => number) => shares.reduce((sum, share, level) => sum + share * of(level), 0)
  const uniform = options.reduce((sum, _, level) => sum + Math.abs(level - (count - 1) / 2), 0) / count
  return {
    type,
    score: mean((level) => level),
    legend: Object.fromEntries(options.map((option, i) => [option, descriptions[i]!])),
    confidence: count === 1 ? 1 : above(1 - mean((level) => Math.abs(level - best)) / uniform),
    probabilities,
  }
}
