/**
 * Steps that all training examples share: read, load, evaluate, train, evaluate, save, report.
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Backend, Dataset, Model, Task, Trainer } from "../mod.ts"
import type { Reading } from "./_reading.ts"
import { checkOutput, clearOutput, defined, progress, traceStep } from "./_shared.ts"

/** Settings of a run. */
export interface Settings {
  /** Title of the report. */
  readonly title: string
  /** Hugging Face directory of the base model. */
  readonly model: string
  /** Number format of the model's frozen matrices. */
  readonly weights: "stored" | "f32" | "bf16" | "f16"
  /** Whether to keep the model's classification head or start a new one. */
  readonly head: "stored" | "new"
  /** The data's file. */
  readonly data: string
  readonly columns: Dataset.Columns
  /** How the file is read. Default: detected. */
  readonly reading?: Reading
  /** Names of the classes in the order of their ids. Default: those of the model's head, or of the data, sorted. */
  readonly labels?: ReadonlyArray<string> | undefined
  /** Task. Default: from the columns. */
  readonly task: Task["kind"] | undefined
  /** Shares of the rows for validation and test. */
  readonly validation: number
  readonly test: number
  readonly training: Trainer.TrainOptions & { readonly maxLength: number; readonly epochs: number }
  /** Stop after this many evaluations without progress. Default: never. */
  readonly patience?: number | undefined
  readonly seed: number
  /** The run folder. */
  readonly output: string
  readonly resume: boolean
  readonly overwrite: boolean
  readonly trace: boolean
  /** Other settings that affect the result. */
  readonly config: Readonly<Record<string, unknown>>
}

const taskOf = (data: Dataset.Data, { task }: Settings): Task => {
  if (data.kind === "classification") return Task.classification(data.labels)
  if (data.kind === "tagged") return Task.tokenClassification(data.labels)
  return task === "masked-lm" ? Task.maskedLM() : Task.causalLM()
}

/** Metrics as one line. */
const line = (metrics: Readonly<Record<string, number>>) =>
  Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`).join("  ")

/** Macro-F1 selects the weights of a classifier: classes differ in size, and the loss can rise while it improves. */
const stopping = ({ patience }: Settings, task: Task): Trainer.EarlyStopping => ({
  ...defined({ patience }),
  metric: task.kind === "causal-lm" || task.kind === "masked-lm" ? "loss" : "macroF1",
})

/** Reads the data; its labels come in the given order, or in that of the model's head. */
const read = ({ model, head, data, columns, reading, labels }: Settings) =>
  Effect.gen(function* () {
    const found = yield* Dataset.file(data, columns, { ...reading, ...defined({ labels }) })
    if (labels !== undefined || head === "new" || found.labels.length === 0) return found
    const own = yield* Model.headLabels(model, found.labels)
    if (own === undefined || `${own}` === `${found.labels}`) return found
    yield* Console.log(`data: labels in the order of the model's head: ${own.join(", ")}`)
    return yield* Dataset.file(data, columns, { ...reading, labels: own })
  })

/** Data and model of a run, and its evaluation. */
const prepare = (settings: Settings) =>
  Effect.gen(function* () {
    const { validation, test, seed, weights, head, training: { maxLength } } = settings
    const backend = yield* Backend
    yield* Console.log(`backend: ${backend.info.description}`)
    const data = yield* read(settings).pipe(Dataset.split({ validation, test, seed }))
    yield* Console.log(
      `data: ${settings.data}, ${data.train.rows.length} rows for training, ${data.validation.rows.length} for validation, ` +
        `${data.test.rows.length} for the test; ${data.removedDuplicates} duplicates removed` +
        (data.conflicts.length === 0 ? "" : `, ${data.conflicts.length} with several labels`),
    )
    const task = taskOf(data.train, settings)
    const model = yield* Model.load(settings.model, { task, seed, weights, head })
    for (const note of model.notes) yield* Console.log(`model: ${note}`)
    const evaluated = [data.test, data.validation, data.train].find(({ rows }) => rows.length > 0) ?? data.train
    return { backend, data, task, model, measure: Trainer.evaluate(model, evaluated, { maxLength, batchSize: 32 }) }
  })

/** Trains and writes adapter and report into the run folder. */
export const train = (settings: Settings) =>
  Effect.gen(function* () {
    const { output, resume, weights, head, labels, validation, test, seed, training } = settings
    yield* checkOutput(output, settings)
    const { backend, data, task, model, measure } = yield* prepare(settings)
    const before = yield* measure
    yield* Console.log(`before: ${line(before.metrics)}`)

    yield* clearOutput(output, settings)
    const run = yield* Trainer.fit(model, data, {
      ...training,
      seed,
      runFolder: output,
      resume,
      observe: progress(),
      config: {
        data: settings.data,
        weights,
        head,
        ...defined({ labels }),
        ...settings.config,
        split: { validation, test },
      },
      ...traceStep(settings.trace),
      ...(data.validation.rows.length === 0 ? {} : { earlyStopping: stopping(settings, task) }),
    })
    const after = yield* measure
    yield* Console.log(`after: ${line(after.metrics)}`)

    const adapter = `${output}/adapter`
    yield* run.save(adapter)
    yield* run.report({
      title: settings.title,
      facts: { data: settings.data, task: task.kind },
      evaluations: [{ name: "before", metrics: before.metrics }, { name: "after", metrics: after.metrics }],
      ...(after.classification === undefined ? {} : { classification: after.classification }),
      division: data,
      samples: [
        ...after.predictions.map(({ label, ...rest }) => ({ ...rest, predicted: label })),
        ...after.words.map(({ label, word, text, ...rest }) => ({
          ...rest,
          text: `${word}: ${text}`,
          predicted: label,
        })),
      ],
    })
    yield* run.summarize({ base: before.metrics, test: after.metrics, backend: backend.info.name, adapter })
    yield* Console.log(`adapter: ${adapter}, report: ${output}/report.html`)
  }).pipe(Effect.scoped)

/** Evaluates a saved run. */
export const evaluateSaved = (settings: Settings) =>
  Effect.gen(function* () {
    const { data, model, measure } = yield* prepare(settings)
    for (const note of data.train.notes ?? []) yield* Console.log(`data: ${note}`)
    yield* Model.loadAdapters(model, `${settings.output}/adapter`)
    yield* Console.log(`saved: ${line((yield* measure).metrics)}`)
  }).pipe(Effect.scoped)
