import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Data } from "../../../core/data/data.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../core/inference/tokenizer_option.ts"
import type { Model } from "../../../core/model/model.ts"
import { fromRows, textRows } from "../../../core/tasks/dataset/dataset.ts"
import type { Prediction } from "../../../core/tasks/task.ts"
import { embed, type EmbedError } from "../../../core/training/embed.ts"
import {
  evaluate,
  type EvaluateError,
  predict,
  type PredictError,
  type PredictOptions,
} from "../../../core/training/evaluate.ts"
import type { JudgingOptions } from "../../../core/training/judging_options.ts"
import type { RowKind } from "../../../core/data/data.ts"
import type { Observation } from "./sample.ts"

/** Options of {@link observe}. */
export interface ObserveOptions extends JudgingOptions {
  /** Whether embeddings are computed: a second pass through the model. Default true. */
  readonly embeddings?: boolean
}

/** How texts are answered that {@link observe} is given. */
export interface AnswerOptions extends ObserveOptions, Pick<PredictOptions, "adapters"> {
  /** Answers that are there already, one for each text. Default: the model answers. */
  readonly predictions?: ReadonlyArray<Prediction>
  /**
   * Whether embeddings go through `adapters`, as in the profile that the run of an adapter leaves. Default false: they are those
   * of the model without adapters, the same whichever answers.
   */
  readonly adapted?: boolean
}

/** An answer with what a monitor keeps of it. */
export interface Answered {
  /** What the model answers; undefined if its task does not predict from texts. */
  readonly prediction: Prediction | undefined
  /** Its numbers. */
  readonly observation: Observation
}

/**
 * Lets a model answer texts, and gives what a monitor takes of each: {@link observation} without the text, which is the
 * caller's. Language models answer with the surprise of the text: nats a token.
 */
export function observe(
  model: Model,
  texts: ReadonlyArray<string>,
  { embeddings = true, adapters, predictions: given, adapted = false, ...options }: AnswerOptions = {},
): Effect.Effect<ReadonlyArray<Answered>, PredictError | EmbedError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { task } = model
    const through = adapters === undefined ? {} : { adapters }
    const seen = yield* seenOf(model, texts, embeddings, { ...options, ...adapted ? through : {} })
    const predicting = { ...options, ...through }
    const predictions = given ?? (task.unlabeled === undefined ? undefined : yield* predict(model, texts, predicting))
    const surprises = yield* surprisesOf(model, texts, options)
    return seen.map((own, i) => {
      const prediction = predictions?.[i]
      return { prediction, observation: joined(own, answerOf(prediction), surprises && { surprise: surprises[i] }) }
    })
  })
}

/** Observations of rows with their answers. */
export function observeData(
  model: Model,
  data: Data,
  { embeddings = true, ...options }: ObserveOptions = {},
): Effect.Effect<ReadonlyArray<Observation>, EvaluateError | EmbedError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const texts = data.rows.map((row) => data.kind.texts(row).join("\n"))
    const seen = yield* seenOf(model, texts, embeddings, options)
    const { predictions, losses } = yield* evaluate(model, data, options)
    const surprises = yield* surprisesOf(model, texts, options)
    // Of tasks for words there are other numbers of predictions.
    const answered = predictions.length === data.rows.length
    return seen.map((own, i) => {
      const prediction = answered ? predictions[i] : undefined
      const judged = prediction === undefined ? {} : { correct: Number(prediction.label === prediction.expected) }
      const loss = Number.isFinite(losses[i]) ? { loss: losses[i] } : {}
      return joined(own, answerOf(prediction), { ...judged, ...loss, ...surprises && { surprise: surprises[i] } })
    })
  })
}

/** The observation of an answer that was judged: `answer` is the right label. */
export function judged(
  { observation, prediction }: Answered,
  answer: string,
  labels: ReadonlyArray<string>,
): Observation {
  const probability = prediction?.probabilities?.[labels.indexOf(answer)]
  return joined(observation, {}, {
    correct: Number(prediction?.label === answer),
    ...probability === undefined ? {} : { loss: -Math.log(Math.max(probability, Number.MIN_VALUE)) },
  })
}

const joined = (
  { numbers, ...own }: Observation,
  { numbers: more, ...answer }: Partial<Observation>,
  further: Readonly<Record<string, number>> = {},
): Observation => ({ ...own, ...answer, numbers: { ...numbers, ...more, ...further } })

const answerOf = (prediction: Prediction | undefined): Partial<Observation> =>
  prediction === undefined ? {} : {
    ...prediction.probabilities === undefined ? {} : { label: prediction.label },
    ...prediction.probability === undefined ? {} : { numbers: { confidence: prediction.probability } },
  }

/** What is seen of the texts alone. */
function seenOf(
  model: Model,
  texts: ReadonlyArray<string>,
  embeddings: boolean,
  options: JudgingOptions & Pick<PredictOptions, "adapters">,
): Effect.Effect<ReadonlyArray<Observation>, EmbedError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const tokenizer = yield* tokenizerOf(model, options.tokenizer)
    const vectors = embeddings ? yield* embed(model, texts, options) : undefined
    return texts.map((text, i) => ({
      numbers: tokensOf(text, tokenizer),
      ...vectors === undefined ? {} : { embedding: vectors[i] },
    }))
  })
}

const UNKNOWN = ["[UNK]", "<unk>"]

/** Columns of a text's tokens, without special ones. */
function tokensOf(text: string, tokenizer: Tokenizer): Readonly<Record<"length" | "unknown" | "pieces", number>> {
  const ids = tokenizer.encode(text, { addSpecialTokens: false })
  const unknown = new Set(UNKNOWN.map((token) => tokenizer.id(token)).filter((id) => id !== undefined))
  const words = text.match(/\S+/g)?.length ?? 0
  return {
    length: ids.length,
    unknown: ids.filter((id) => unknown.has(id)).length / Math.max(1, ids.length),
    pieces: ids.length / Math.max(1, words),
  }
}

/** Mean loss of the texts' own tokens, where the task has one on plain texts. */
function surprisesOf(
  model: Model,
  texts: ReadonlyArray<string>,
  options: JudgingOptions,
): Effect.Effect<ReadonlyArray<number> | undefined, EvaluateError, FileSystem.FileSystem> {
  if (!model.task.rows.includes(textRows as RowKind) || texts.length === 0) return Effect.succeed(undefined)
  const rows = fromRows(texts.map((text) => ({ text })), { text: "text" })
  return Effect.map(evaluate(model, rows, options), ({ losses }) => losses)
}
