import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, DataError } from "../../core/data/data_error.ts"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import {
  encoded,
  generate,
  type GenerateError,
  type GenerateOptions,
  textAfter,
  textBefore,
} from "../../core/inference/generate.ts"
import type { Model } from "../../core/model/model.ts"
import type { EmbedError } from "../../core/training/embed.ts"
import { type ChatTemplate, endOf, promptOf } from "../chat/mod.ts"
import { namedNumbers, numberedPrompt, type PromptOf } from "./numbered_prompt.ts"
import { type Found, type PassageIndex, search } from "./passage_index.ts"

/** Options of {@link answer}. */
export interface AnswerOptions extends Omit<GenerateOptions, "plugins"> {
  /** Most passages in a prompt. Default 4. */
  readonly count?: number
  /** How a question and its passages are put. Default: {@link numberedPrompt}. */
  readonly prompt?: PromptOf
  /** The model's chat template: the prompt is then the message of a user. Default: the model continues the prompt. */
  readonly chat?: ChatTemplate
}

/** An answer with its sources. */
export interface GroundedAnswer {
  /** What was asked. */
  readonly question: string
  /** The answer, with the numbers of passages as the model named them. */
  readonly text: string
  /** The passages that it names, in the order in which it names them. */
  readonly sources: ReadonlyArray<Found>
  /** The passages of its prompt; number n is the one at n - 1. */
  readonly passages: ReadonlyArray<Found>
  /** Numbers that it names and that no passage of its prompt has. */
  readonly unknown: ReadonlyArray<number>
}

/**
 * Answers questions by a language model from the passages of an index. Passages that do not fit into the model's positions beside
 * the answer are left out, the farthest first.
 *
 * Fails with DataError `TooLong` where not even one passage fits.
 */
export function answer(
  model: Model,
  index: PassageIndex,
  questions: ReadonlyArray<string>,
  options: AnswerOptions = {},
): Effect.Effect<ReadonlyArray<GroundedAnswer>, DataError | EmbedError | GenerateError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { count, prompt = numberedPrompt, chat, ...given } = options
    const { tokenizer, stop } = yield* encoded(model, [], given)
    const found = yield* search(index, questions, count === undefined ? {} : { count })
    const { maxNewTokens = 64 } = given
    const room = model.network.maxPositions - maxNewTokens
    const put = (question: string, passages: ReadonlyArray<Found>) => idsOf(tokenizer, prompt(question, passages), chat)
    const asked = yield* Effect.forEach(questions, (question, i) => fitting(put, question, found[i], room))
    const ends = chat === undefined ? stop : [...stop, ...endOf(chat, tokenizer)]
    const made = yield* generate(model, asked.map(({ ids }) => ids), { ...given, maxNewTokens, stop: ends })
    return asked.map(({ ids, passages }, i) => {
      const text = textAfter(tokenizer, textBefore(model, ids), made[i]).trim()
      return { question: questions[i], text, passages, ...namedOf(text, passages) }
    })
  })
}

/** The passages that an answer names. */
export function namedOf(
  text: string,
  passages: ReadonlyArray<Found>,
): Pick<GroundedAnswer, "sources" | "unknown"> {
  const isThere = (number: number) => number >= 1 && number <= passages.length
  const numbers = namedNumbers(text)
  return {
    sources: numbers.filter(isThere).map((number) => passages[number - 1]),
    unknown: numbers.filter((number) => !isThere(number)),
  }
}

/** Token ids of a prompt. */
const idsOf = (
  tokenizer: Tokenizer,
  text: string,
  chat: ChatTemplate | undefined,
): Effect.Effect<Int32Array, DataError> =>
  chat === undefined ? attempt(() => tokenizer.encode(text)) : Effect.flatMap(
    promptOf(chat, [{ role: "user", content: text }]),
    (text) => attempt(() => tokenizer.encode(text, { addSpecialTokens: false })),
  )

/** The prompt with as many passages as there is room for. */
function fitting(
  put: (question: string, passages: ReadonlyArray<Found>) => Effect.Effect<Int32Array, DataError>,
  question: string,
  found: ReadonlyArray<Found>,
  room: number,
): Effect.Effect<{ readonly ids: Int32Array; readonly passages: ReadonlyArray<Found> }, DataError> {
  return Effect.gen(function* () {
    let ids = new Int32Array()
    for (let count = found.length; count > 0; count--) {
      const passages = found.slice(0, count)
      ids = new Int32Array(yield* put(question, passages))
      if (ids.length <= room) return { ids, passages }
    }
    const message =
      `a prompt with one passage has ${ids.length} tokens, and beside maxNewTokens the model has room for ` +
      `${room}: shorter passages (passageLength) or a smaller maxNewTokens would fit`
    return yield* new DataError({ reason: "TooLong", message })
  })
}
