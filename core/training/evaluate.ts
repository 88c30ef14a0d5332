/**
 * Forward passes without training: metrics of a split, and predictions.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { RunData } from "../backend/backend.ts"
import type { BackendError } from "../backend/backend_error.ts"
import { DEFAULT_TASK } from "../contracts/batch_source.ts"
import type { Metrics } from "../contracts/train_event.ts"
import { batchData, batchInputs } from "../data/batch_inputs.ts"
import { type Batch, collate, makeBatches } from "../data/batches.ts"
import type { DataError } from "../data/data_error.ts"
import type { Data, LabeledData, TaggedData } from "../data/dataset.ts"
import { MASKED } from "../data/encode.ts"
import { loadTokenizer, type Tokenizer } from "../data/tokenizer.ts"
import type { Graph } from "../graph/build.ts"
import type { Choice } from "../model/choice.ts"
import { chooseByRow, type RowChoice } from "../model/choose_by_row.ts"
import { programsOf } from "../inference/programs.ts"
import type { Model } from "../model/model.ts"
import { labelKind, labelsOf } from "../model/task.ts"
import { argmax, equal, full, input, maximum, softmax, sum } from "../tensor/ops.ts"
import { attempt, attemptPromise } from "./_attempt.ts"
import { type ClassificationMetrics, classificationMetrics, perplexity } from "./metrics.ts"
import { type MaskingOptions, maskTokens } from "./mask_tokens.ts"
import { objectiveOf } from "./objectives.ts"
import { encodeData, padIdOf, type TaskExamples } from "./training_data.ts"
import { TrainingError } from "./training_error.ts"

/** Options of {@link evaluate} and {@link predict}. */
export interface EvaluateOptions {
  /** Examples that go through the model together. Default 32. */
  readonly batchSize?: number
  /** Most tokens of an example; longer texts are cut. Default: the model's positions, and a longer text is an error. */
  readonly maxLength?: number
  /** Prompts with completions: judge the completion alone. Default true. */
  readonly completionOnly?: boolean
  /** Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
  /**
   * The plugin that each row goes through, by id (`"method/name"`), or `""` for none: rows of one batch may differ. A row
   * goes through no other plugin of the methods that are named. Default: every row goes through all plugins.
   */
  readonly plugins?: ReadonlyArray<string>
}

/** What a classifier says of a text. */
export interface Prediction {
  readonly text: string
  /** Name of the likeliest class. */
  readonly label: string
  /** Its probability, 0 to 1. */
  readonly probability: number
  /** Probabilities of all classes, in the order of the task's labels. */
  readonly probabilities: ReadonlyArray<number>
}

/** What a classifier of words says of one. */
export interface WordPrediction {
  /** The word, and the words of its row with spaces between. */
  readonly word: string
  readonly text: string
  /** Name of its class. */
  readonly expected: string
  /** Name of the likeliest class. */
  readonly label: string
  /** Its probability, 0 to 1. */
  readonly probability: number
}

/** What an evaluation found. */
export interface Evaluation {
  /**
   * `loss` (nats, per example or token), and `accuracy`, `macroF1`, `matthews` of a classifier (of texts, or of words)
   * or `perplexity`, `tokenAccuracy` of a language model.
   */
  readonly metrics: Metrics
  /** Classifier: scores of each class and the confusion matrix. */
  readonly classification?: ClassificationMetrics
  /** Classifier of texts: one a row, in the order of the rows. */
  readonly predictions: ReadonlyArray<Prediction & { readonly expected: string }>
  /** Classifier of words: one for each that has a label, row by row. */
  readonly words: ReadonlyArray<WordPrediction>
}

/** Why an evaluation failed. */
export type EvaluateError = DataError | BackendError | TrainingError

/** What a batch gives. */
type Outputs = Readonly<Record<string, Float32Array | Int32Array>>

/** Runs batches; programs are compiled when their shape first comes, and kept. */
async function run(
  model: Model,
  batches: ReadonlyArray<Batch>,
  masking: MaskingOptions | undefined,
  choice: RowChoice | undefined,
): Promise<ReadonlyArray<Outputs>> {
  const results: Array<Promise<Outputs>> = []
  for (const batch of batches) {
    const [rows, length] = batch.shape
    const name = `evaluate ${rows}x${length} ${masking?.maskId} ${choice?.plugins}`
    const graph = () => evaluationGraph(model, rows, length, masking, choice?.plugins)
    const program = await programsOf(model).get(name, graph)
    // A few at a time: the next is posted while this one runs.
    await results.at(-2)
    results.push(program.run({ ...batchData(batch), ...choiceData(batch, choice) }))
  }
  return await Promise.all(results)
}

/**
 * `loss` and `weight` by example, and `logits` [B, classes], `hits` (right tokens) [B] or, of words, `chosen` [B, T] and
 * its probability `sure` [B, T].
 * Tokens that are hidden are the same ones every time.
 */
function evaluationGraph(
  model: Model,
  rows: number,
  length: number,
  masking?: MaskingOptions,
  plugins?: ReadonlyArray<string>,
): Graph {
  const { task } = model
  const given = batchInputs(DEFAULT_TASK, rows, length, labelKind(task))
  const key = [full(0, [], "i32"), full(0, [], "i32")] as const
  const batch = masking === undefined ? given : maskTokens(given, key, masking)
  const outputs = model.forward(batch, { training: false, ...choiceInput(plugins, rows) })
  const none = () => {
    throw new Error("An evaluation has no objective parameters")
  }
  const { loss, weight } = objectiveOf(task)({ batch, outputs, base: none, parameter: none, trained: [] })
  const { logits } = outputs
  const found = task.kind === "classification"
    ? { logits }
    : task.kind === "token-classification"
    ? { chosen: argmax(logits), sure: maximum(softmax(logits), [2]) }
    : { hits: sum(equal(argmax(logits), batch.labels), [1]) }
  return { name: "evaluate", outputs: { loss, weight, ...found }, updates: [] }
}

/** Which plugin each row of a batch goes through, as the graph's input `choice`. */
export function choiceInput(
  plugins: ReadonlyArray<string> | undefined,
  rows: number,
): { readonly choice?: Choice } {
  if (plugins === undefined) return {}
  return { choice: { plugins, index: input("choice", [rows], { dtype: "i32", batch: true }) } }
}

/** The input of {@link choiceInput} for a batch; rows that only fill it go through none. */
export function choiceData(batch: Batch, choice: RowChoice | undefined): RunData {
  if (choice === undefined) return {}
  return { choice: batch.rows.map((row) => row < 0 ? choice.plugins.length : choice.index[row]) }
}

/** Softmax in float64. */
function probabilitiesOf(logits: ArrayLike<number>): Array<number> {
  const values = Array.from(logits)
  const top = Math.max(...values)
  const powers = values.map((value) => Math.exp(value - top))
  const total = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / total)
}

/** Evaluates examples that are already encoded. */
export async function evaluateExamples(
  model: Model,
  { data, examples, masking }: TaskExamples,
  { batchSize, padId, choice }: {
    readonly batchSize: number
    readonly padId: number | undefined
    readonly choice?: RowChoice | undefined
  },
): Promise<Evaluation> {
  const maxLength = examples.reduce((most, { tokens }) => Math.max(most, tokens.length), 1)
  const microBatches = makeBatches(examples, {
    batchSize: Math.min(batchSize, examples.length),
    maxLength,
    shuffle: false,
  })
    .epoch(0).flatMap((step) => step.microBatches)
  const batches = microBatches.map((microBatch) => collate(examples, microBatch, padId))
  const results = await run(model, batches, masking, choice)
  let loss = 0
  let weight = 0
  let hits = 0
  const { task } = model
  const predictions: Array<Evaluation["predictions"][number]> = []
  const chosen = new Int32Array(examples.length)
  /** Words: those of each row, with expected and chosen classes. */
  const ofRows: Array<ReadonlyArray<JudgedWord>> = []
  results.forEach((result, i) => {
    batches[i].rows.forEach((row, at) => {
      if (row < 0) return
      loss += result.loss[at]
      weight += result.weight[at]
      if (task.kind === "token-classification") {
        const start = at * batches[i].shape[1]
        const { targets, words } = examples[row]
        ofRows[row] = [...targets!.keys()].filter((place) => targets![place] !== MASKED).map((place) => ({
          row,
          word: words?.[place] ?? -1,
          expected: targets![place],
          chosen: result.chosen[start + place],
          probability: result.sure[start + place],
        }))
      } else if (task.kind !== "classification") hits += result.hits[at]
      else {
        const { labels } = task
        const probabilities = probabilitiesOf(result.logits.subarray(at * labels.length, (at + 1) * labels.length))
        const best = probabilities.indexOf(Math.max(...probabilities))
        // Logits that are not numbers have no greatest.
        chosen[row] = Math.max(0, best)
        const { text, label } = (data as LabeledData).rows[row]
        predictions[row] = {
          text,
          expected: labels[label],
          label: labels[chosen[row]],
          probability: probabilities[chosen[row]],
          probabilities,
        }
      }
    })
  })
  const mean = weight === 0 ? 0 : loss / weight
  const labels = labelsOf(task)
  if (labels === undefined) {
    return {
      metrics: { loss: mean, perplexity: perplexity(mean), tokenAccuracy: hits / weight },
      predictions,
      words: [],
    }
  }
  const judged = ofRows.flat()
  const words = judged.map((own) => wordPrediction(data as TaggedData, labels, own))
  const [expected, said] = task.kind === "classification"
    ? [examples.map(({ label }) => label!), chosen]
    : [judged.map(({ expected }) => expected), judged.map(({ chosen }) => chosen)]
  if (expected.includes(MASKED)) return { metrics: {}, predictions, words }
  const scores = classificationMetrics(expected, said, labels)
  const { accuracy, macroF1, matthews } = scores
  return { metrics: { loss: mean, accuracy, macroF1, matthews }, classification: scores, predictions, words }
}

interface JudgedWord {
  readonly row: number
  readonly word: number
  readonly expected: number
  readonly chosen: number
  readonly probability: number
}

function wordPrediction(
  { rows }: TaggedData,
  labels: ReadonlyArray<string>,
  { row, word, expected, chosen, probability }: JudgedWord,
): WordPrediction {
  const { words, text } = rows[row]
  return { word: words[word] ?? "", text, expected: labels[expected], label: labels[chosen], probability }
}

/** Which plugin each row goes through, where that was asked for. */
export function choiceOf(
  model: Model,
  rows: number,
  ids: ReadonlyArray<string> | undefined,
): Effect.Effect<RowChoice | undefined, EvaluateError> {
  return Effect.suspend(() => {
    if (ids === undefined) return Effect.succeed(undefined)
    if (ids.length === rows) return attempt(() => chooseByRow(model, ids))
    const message = `plugins must name one for each of ${rows} rows, got ${ids.length}`
    return Effect.fail(new TrainingError({ reason: "Options", message }))
  })
}

/** Judges the model by a data set. */
export function evaluate(
  model: Model,
  data: Data,
  options: EvaluateOptions = {},
): Effect.Effect<Evaluation, EvaluateError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { batchSize = 32 } = options
    if (data.rows.length === 0) {
      return yield* new TrainingError({ reason: "Options", message: `${data.source}: no row to evaluate` })
    }
    const tokenizer = options.tokenizer ?? (yield* loadTokenizer(model.companions ?? model.directory))
    const { maxPositions, vocabSize } = model.network
    const encoding = { ...options, maxPositions, vocabSize, unlabeled: true }
    const examples = yield* attempt(() => encodeData(data, model.task, tokenizer, encoding))
    const choice = yield* choiceOf(model, data.rows.length, options.plugins)
    const padId = padIdOf(tokenizer, vocabSize)
    return yield* attemptPromise(() => evaluateExamples(model, examples, { batchSize, padId, choice }))
  })
}

/** Classifies texts. */
export function predict(
  model: Model,
  texts: ReadonlyArray<string>,
  options: EvaluateOptions = {},
): Effect.Effect<ReadonlyArray<Prediction>, EvaluateError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { task } = model
    if (task.kind !== "classification") {
      return yield* new TrainingError({ reason: "Options", message: "predict needs a model that classifies" })
    }
    if (texts.length === 0) return []
    const rows = texts.map((text, i) => ({ text, label: MASKED, row: i + 1 }))
    const data: LabeledData = { kind: "classification", source: "texts", unit: "row", labels: task.labels, rows }
    const { predictions } = yield* evaluate(model, data, options)
    return predictions.map(({ text, label, probability, probabilities }) => ({
      text,
      label,
      probability,
      probabilities,
    }))
  })
}
