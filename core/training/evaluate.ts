/**
 * Forward passes without training: metrics of a split, and predictions.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { RunData } from "../backend/backend.ts"
import type { BackendError } from "../backend/backend_error.ts"
import type { AdapterError } from "../contracts/bank/adapter_error.ts"
import { DEFAULT_TASK } from "../contracts/batch_source.ts"
import type { Metrics } from "../contracts/train_event.ts"
import { batchData, batchInputs, shapeName } from "../data/batches/batch_inputs.ts"
import { type Batch, collate, makeBatches } from "../data/batches/batches.ts"
import type { Data } from "../data/data.ts"
import type { DataError } from "../data/data_error.ts"
import type { Graph } from "../graph/build.ts"
import type { Choice } from "../model/sites/choice.ts"
import { chooseByRow, type RowChoice } from "../model/sites/choose_by_row.ts"
import { programsOf } from "../inference/programs.ts"
import { tokenizerOf } from "../inference/tokenizer_option.ts"
import type { Model } from "../model/model.ts"
import type { ClassificationMetrics } from "../tasks/measures/classification_metrics.ts"
import type { JudgedPrediction, Measured, Prediction, Vocabulary } from "../tasks/task.ts"
import { full, input } from "../tensor/ops.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { ByAdapter } from "./adapters/by_adapter.ts"
import { attempt, attemptPromise } from "./loop/attempt.ts"
import { OBJECT, TEXTS, wrongArgument } from "../options/argument.ts"
import type { OptionTable } from "../options/field.ts"
import * as field from "../options/fields.ts"
import { JUDGING_OPTIONS, type JudgingOptions, judgingOptions, type Open } from "./judging_options.ts"
import { checkInMemory, encodeData, padIdOf, type TaskExamples } from "./loop/training_data.ts"
import { checkOneTask } from "./step/task_named.ts"
import { TrainingError } from "./training_error.ts"

/** Options of {@link evaluate} and {@link predict}. */
export interface EvaluateOptions extends JudgingOptions {
  /** Prompts with completions: judge only the completion. Default true. */
  readonly completionOnly?: boolean
}

const OPTIONS: OptionTable<EvaluateOptions, Open> = {
  ...JUDGING_OPTIONS,
  completionOnly: field.boolean({ default: true }),
}

/** Options of {@link predict}. */
export interface PredictOptions extends EvaluateOptions {
  /**
   * The adapter of each row by its name in the model's bank (`Model.withAdapters`), or `""` for none; rows of one batch may
   * differ, and each is answered by the classes of its adapter's head. A batch has at most as many rows as the bank has
   * slots. Default: none.
   */
  readonly adapters?: ReadonlyArray<string>
}

/** Result of an evaluation. */
export interface Evaluation {
  /** The task's metrics: `loss` (nats, or squared units of scores), and the others by name. Empty where rows have no answer. */
  readonly metrics: Metrics
  /** Scores of each class and the confusion matrix, where texts or words have one class each. */
  readonly classification?: ClassificationMetrics
  /** One a row in the order of the rows; of a task for words, one for each that has a label, row by row. */
  readonly predictions: ReadonlyArray<JudgedPrediction>
  /** Mean loss of each row in the order of the rows, NaN for one without an answer. */
  readonly losses: ReadonlyArray<number>
}

/** Errors of an evaluation. */
export type EvaluateError = DataError | BackendError | TrainingError

/** Errors of a prediction. */
export type PredictError = EvaluateError | AdapterError

/** Outputs for a batch. */
type Outputs = Readonly<Record<string, Float32Array | Int32Array>>

/** Runs batches. Programs are compiled once per shape. */
async function run(
  model: Model,
  batches: ReadonlyArray<Batch>,
  vocabulary: Vocabulary,
  choice: RowChoice | undefined,
  adapters: ByAdapter | undefined,
  rowOf: (example: number) => number,
): Promise<ReadonlyArray<Outputs>> {
  const results: Array<Promise<Outputs>> = []
  for (const batch of batches) {
    const name = `evaluate ${shapeName(batch)} ${vocabulary.maskId} ${choice?.plugins} ${adapters !== undefined}`
    const graph = () => evaluationGraph(model, batch, vocabulary, choice?.plugins, adapters !== undefined)
    const program = await programsOf(model).get(name, graph)
    // At most two are pending.
    await results.at(-2)
    const data = { ...batchData(batch), ...choiceData(batch, choice) }
    results.push(
      adapters === undefined
        ? program.run(data)
        : adapters.run(Array.from(batch.rows, rowOf), (slots) => program.run({ ...data, adapters: slots })),
    )
  }
  return await Promise.all(results)
}

/** `loss` and `weight` by example, and the task's measures. Random numbers in `prepare` have a fixed key. */
function evaluationGraph(
  model: Model,
  { shape: [rows, length], targetLength }: Batch,
  vocabulary: Vocabulary,
  plugins?: ReadonlyArray<string>,
  hasAdapters = false,
): Graph {
  const { task } = model
  const given = batchInputs(DEFAULT_TASK, rows, length, task, targetLength)
  const key = [full(0, [], "i32"), full(0, [], "i32")] as const
  const batch = task.prepare?.(given, key, vocabulary) ?? given
  const choice = { ...choiceInput(plugins, rows), ...adapterInput(hasAdapters, rows) }
  const outputs = model.forward(batch, { training: false, ...choice })
  const none = () => {
    throw new Error("An evaluation has no objective parameters")
  }
  const { loss, weight } = task.objective({ batch, outputs, base: none, parameter: none, trained: [] })
  return { name: "evaluate", outputs: { ...task.measure({ batch, outputs }), loss, weight }, updates: [] }
}

/** The plugin of each row of a batch, as the graph's input `choice`. */
export function choiceInput(
  plugins: ReadonlyArray<string> | undefined,
  rows: number,
): { readonly choice?: Choice } {
  if (plugins === undefined) return {}
  return { choice: { plugins, index: input("choice", [rows], { dtype: "i32", batch: true }) } }
}

/** The slot of each row's adapter, as the graph's input `adapters`. */
export function adapterInput(hasAdapters: boolean, rows: number): { readonly adapters?: Tensor } {
  return hasAdapters ? { adapters: input("adapters", [rows], { dtype: "i32", batch: true }) } : {}
}

/** Data of {@link choiceInput} for a batch; empty rows have no plugin. */
export function choiceData(batch: Batch, choice: RowChoice | undefined): RunData {
  if (choice === undefined) return {}
  return { choice: batch.rows.map((row) => row < 0 ? choice.plugins.length : choice.index[row]) }
}

/** Evaluates encoded examples. */
export async function evaluateExamples(
  model: Model,
  { data, examples, vocabulary }: TaskExamples,
  { batchSize, padId, choice, adapters }: {
    readonly batchSize: number
    readonly padId: number | undefined
    readonly choice?: RowChoice | undefined
    /** The adapter of each row. */
    readonly adapters?: ByAdapter | undefined
  },
): Promise<Evaluation> {
  const { task } = model
  const maxLength = examples.reduce((most, { tokens }) => Math.max(most, tokens.length), 1)
  const size = Math.min(batchSize, examples.length, adapters?.most ?? Infinity)
  const { epoch } = makeBatches(examples, { batchSize: size, maxLength, shuffle: false })
  const batches = epoch(0).flatMap(({ microBatches }) => microBatches).map((one) => collate(examples, one, task, padId))
  const rowOf = (example: number) => examples[Math.max(example, 0)].index
  const results = await run(model, batches, vocabulary, choice, adapters, rowOf)
  let loss = 0
  let weight = 0
  const measured: Array<Measured> = []
  const sums = data.rows.map(() => ({ loss: 0, weight: 0 }))
  results.forEach((result, i) => {
    const { rows } = batches[i]
    rows.forEach((row, at) => {
      if (row < 0) return
      loss += result.loss[at]
      weight += result.weight[at]
      const example = examples[row]
      const sum = sums[example.index]
      sum.loss += result.loss[at]
      sum.weight += result.weight[at]
      const part = (all: Outputs[string]) =>
        all.subarray(at * all.length / rows.length, (at + 1) * all.length / rows.length)
      const values = Object.fromEntries(Object.entries(result).map(([name, all]) => [name, part(all)]))
      measured[row] = { row: data.rows[example.index], example, values }
    })
  })
  const mean = weight === 0 ? 0 : loss / weight
  const { metrics, classification, predictions = [] } = adapters === undefined
    ? task.judge(measured, mean, task.labels ?? [])
    : { predictions: measured.flatMap(adapters.predictions) }
  return {
    metrics: metrics === undefined ? {} : { loss: mean, ...metrics },
    ...(classification === undefined ? {} : { classification }),
    predictions,
    losses: sums.map(({ loss, weight }) => loss / weight),
  }
}

/** The plugin of each row, if given. */
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

/** Evaluates the model on a data set. */
export function evaluate(
  model: Model,
  data: Data,
  options: EvaluateOptions = {},
): Effect.Effect<Evaluation, EvaluateError, FileSystem.FileSystem> {
  return evaluated(model, data, options)
}

function evaluated(
  model: Model,
  data: Data,
  options: EvaluateOptions,
  adapters?: ByAdapter,
): Effect.Effect<Evaluation, EvaluateError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { batchSize, tokenizer: given, plugins, ...own } = yield* attempt(() => judgingOptions(OPTIONS, options))
    yield* attempt(() => checkOneTask(model, "evaluate"))
    yield* attempt(() => checkInMemory(data, "the data to evaluate"))
    if (data.rows.length === 0) {
      return yield* new TrainingError({ reason: "Options", message: `${data.source}: no row to evaluate` })
    }
    const tokenizer = yield* tokenizerOf(model, given)
    const { maxPositions, vocabSize } = model.network
    const encoding = { ...own, maxPositions, vocabSize, unlabeled: true }
    const examples = yield* attempt(() => encodeData(data, model.task, tokenizer, encoding))
    const choice = yield* choiceOf(model, data.rows.length, plugins)
    const padId = padIdOf(tokenizer, vocabSize)
    return yield* attemptPromise(() => evaluateExamples(model, examples, { batchSize, padId, choice, adapters }))
  })
}

/** The adapter of each row, if given. */
export const adaptersOf = (
  model: Model,
  rows: number,
  names: ReadonlyArray<string> | undefined,
): Effect.Effect<ByAdapter | undefined, TrainingError | AdapterError> =>
  names === undefined && model.bank?.everyRow !== true ? Effect.succeed(undefined) : Effect.flatMap(
    Effect.promise(() => import("./adapters/by_adapter.ts")),
    ({ byAdapter }) => byAdapter(model, rows, names),
  )

/** Predictions for texts. Fails if the task does not predict from texts. */
export function predict(
  model: Model,
  texts: ReadonlyArray<string>,
  options: PredictOptions = {},
): Effect.Effect<ReadonlyArray<Prediction>, PredictError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { task } = model
    yield* attempt(() => checkOneTask(model, "predict"))
    const wrong = wrongArgument("texts", texts, TEXTS) ?? wrongArgument("options", options, OBJECT)
    if (wrong !== undefined) return yield* new TrainingError({ reason: "Options", message: wrong })
    if (task.unlabeled === undefined) {
      const message = `predict needs a model that answers texts with classes or scores, and its task is ${task.kind}`
      return yield* new TrainingError({ reason: "Options", message })
    }
    if (texts.length === 0) return []
    const { adapters: names, ...own } = options
    const adapters = yield* adaptersOf(model, texts.length, names)
    const rows = texts.map((text, i) => task.unlabeled!(text, i + 1))
    const data: Data = { kind: task.rows[0], source: "texts", unit: "row", labels: task.labels ?? [], rows }
    const { predictions } = yield* evaluated(model, data, own, adapters)
    return predictions.map(({ expected: _, distance: __, ...prediction }) => prediction)
  })
}
