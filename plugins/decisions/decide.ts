import * as Effect from "effect/Effect"
import type { Model } from "../../core/model/model.ts"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import { attempt } from "../../core/contracts/attempt.ts"
import { DataError } from "../../core/data/data_error.ts"
import { type GenerateError, nextLogits } from "../../core/inference/text/mod.ts"
import type { ChatTemplate } from "../chat/mod.ts"
import type { DecisionConfig } from "./decision_config.ts"
import { DecisionError } from "./decision_error.ts"
import { prompter } from "./prompts.ts"
import { answerOf, type DecisionAnswer, type DecisionRequest } from "./question.ts"

/** What answers questions: a causal language model with what belongs to it. */
export interface Decider {
  /** The model. */
  readonly model: Model
  /** Its tokenizer. */
  readonly tokenizer: Tokenizer
  /** How it answers: `load(directory)`, or {@link DEFAULT_CONFIG}. */
  readonly config: DecisionConfig
  /** Its chat template, for the general prompt. Default: none; the config has a template then. */
  readonly chat?: ChatTemplate
}

/** Answers with the number of tokens that were read for them. */
export interface Decided {
  /** Answers by the names of the questions, of each request. */
  readonly answers: ReadonlyArray<Readonly<Record<string, DecisionAnswer>>>
  /** Number of tokens of the prompts. */
  readonly tokens: number
}

/** Answers requests in one pass over the prompts of all their questions; nothing is generated. */
export function decide(
  { model, tokenizer, config, chat }: Decider,
  requests: ReadonlyArray<DecisionRequest>,
): Effect.Effect<Decided, DecisionError | DataError | GenerateError> {
  return Effect.gen(function* () {
    const prompts = yield* attempt(
      () => {
        const { promptsOf } = prompter(tokenizer, config, chat)
        return requests.map(promptsOf)
      },
      DecisionError,
      DataError,
    )
    const all = prompts.flat()
    const logits = yield* nextLogits(model, all.map(({ ids }) => ids))
    const answers = all.map(({ question, labels }, i) => {
      const { [question.type]: temperature = 1 } = config.temperature
      return [question.name, answerOf(question, softmax(labels.map((id) => logits[i][id] / temperature)))] as const
    })
    const ends = prompts.map(({ length }) => length)
    let from = 0
    return {
      answers: ends.map((count) => Object.fromEntries(answers.slice(from, from += count))),
      tokens: all.reduce((sum, { ids }) => sum + ids.length, 0),
    }
  })
}

/** Shares of scores. */
export function softmax(values: ReadonlyArray<number>): ReadonlyArray<number> {
  const top = Math.max(...values)
  const powers = values.map((value) => Math.exp(value - top))
  const total = powers.reduce((a, b) => a + b)
  return powers.map((power) => power / total)
}
