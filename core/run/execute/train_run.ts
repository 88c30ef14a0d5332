/**
 * Carries a run out: read, load, evaluate, train, evaluate, save, report.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import { Backend } from "../../backend/backend.ts"
import type { Plugins } from "../../contracts/plugins.ts"
import type { Metrics, TrainStop } from "../../contracts/train_event.ts"
import { load, type LoadError } from "../../model/load/load.ts"
import type { Families } from "../../model/load/families.ts"
import type { Model } from "../../model/model.ts"
import { loadAdapters } from "../../model/model_files.ts"
import type { LoadOptions } from "../../model/load/load_options.ts"
import { evaluate, type EvaluateError, type Evaluation } from "../../training/evaluate.ts"
import { fit } from "../../training/fit.ts"
import type { Forecast } from "../../training/forecast.ts"
import type { TrainingData } from "../../training/loop/training_data.ts"
import type { EarlyStopping, TrainOptions } from "../../training/options.ts"
import type { RunAccount, TrainError } from "../../training/run_folder/run.ts"
import type { ResolvedRun } from "../resolve_run.ts"
import { type GeneralRows, generalRows } from "./general_rows.ts"
import { checkMemory, memoryLine, usedLine } from "./memory.ts"
import { checkOutput, clearOutput } from "./output_folder.ts"
import type { RunOptions } from "./run_options.ts"
import { reportOf } from "./run_report.ts"
import type { Tell } from "./tell.ts"
import { byTask, type ReadError, readOld, readParts, type TaskPart } from "./task_part.ts"

/** What can go wrong with a run. */
export type RunError = ReadError | LoadError | TrainError

/** Services of a run. */
export type RunServices = Backend | Plugins | Families | FileSystem.FileSystem | Scope.Scope

/** A run that was carried out. */
export interface TrainedRun extends RunAccount {
  /** The model, with the best weights if there are rows for validation, otherwise with the last. */
  readonly model: Model
  /** Why the run ended. */
  readonly reason: TrainStop["reason"]
  /** Saves what the run saved once more, into a new or empty directory. */
  readonly save: (directory: string) => Effect.Effect<void, RunError, FileSystem.FileSystem>
  /** Its tasks with their rows; one task has no name. */
  readonly parts: ReadonlyArray<TaskPart>
  /** Memory that was forecast. */
  readonly memory: Forecast
  /** Metrics on the rows that judge the model before training, of several tasks as `<task>.<metric>`. */
  readonly before: Metrics
  /** The same after training. */
  readonly after: Metrics
  /** Folder of the adapter, or of the model where all of it was trained. */
  readonly adapter: string
  /** The report page. */
  readonly report: string
}

/** The step to trace: by the tenth, the engine has warmed up. */
const TRACED_STEP = 10

/** Metrics as one line. */
const line = (metrics: Metrics) =>
  Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`).join("  ")

/** Macro-F1 selects the weights of a classifier: classes differ in size, and the loss can rise while it improves. */
const stopping = ({ patience }: ResolvedRun, parts: ReadonlyArray<TaskPart>): EarlyStopping => ({
  ...patience === undefined ? {} : { patience },
  metric: parts.every(({ task }) => "macroF1" in task.metrics) ? "macroF1" : "loss",
})

const toldTo = (observe: RunOptions["observe"]): Tell => (text, level = "info") =>
  observe?.({ type: "message", level, text }) ?? Effect.void

/** How the model of a run is loaded. */
function loadingOf({ seed, model: { weights, head } }: ResolvedRun, parts: ReadonlyArray<TaskPart>): LoadOptions {
  const [{ name, task }] = parts
  const tasks = () => Object.fromEntries(parts.map(({ name, task }) => [name!, task]))
  return { seed, weights, head, ...name === undefined ? { task } : { tasks: tasks() } }
}

/** Loads the model of a run. */
function loaded(
  run: ResolvedRun,
  parts: ReadonlyArray<TaskPart>,
  tell: Tell,
): Effect.Effect<Model, LoadError, RunServices> {
  return Effect.tap(
    load(run.model.path, loadingOf(run, parts)),
    ({ notes }) => Effect.forEach(notes, (note) => tell(`model: ${note}`), { discard: true }),
  )
}

/** Evaluates the model on the rows that judge it, task by task. */
function judged(
  { training: { maxLength } }: ResolvedRun,
  parts: ReadonlyArray<TaskPart>,
  model: Model,
  tell: (text: string) => Effect.Effect<void>,
): Effect.Effect<ReadonlyArray<Evaluation>, EvaluateError, FileSystem.FileSystem> {
  return Effect.forEach(parts, ({ name, judging }) =>
    Effect.gen(function* () {
      const view = name === undefined ? model : model.view({ task: name })
      const found = yield* evaluate(view, judging, { maxLength, batchSize: 32 })
      yield* tell(`${name === undefined ? "" : `, ${name}`}: ${line(found.metrics)}`)
      return found
    }))
}

/** Rows and options of the training. */
function trainingOf(
  run: ResolvedRun,
  parts: ReadonlyArray<TaskPart>,
  general: GeneralRows,
): Effect.Effect<{ readonly data: TrainingData; readonly options: TrainOptions }, ReadError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { model: { weights, head }, seed, training } = run
    const replay = yield* readOld(run.replay, parts)
    const retain = { ...yield* readOld(run.retain, parts), ...general.rows }
    const validates = parts.some(({ data }) => data.validation.rows.length > 0)
    const own = byTask(parts, ({ data }) => data.train)
    const data = byTask(parts, ({ from: { path, validation, test, reading: { labels } } }) => ({
      path,
      validation,
      test,
      ...labels === undefined ? {} : { labels },
    }))
    return {
      data: {
        train: (Object.keys(replay).length === 0 ? own : { new: own, ...replay }) as TrainingData["train"],
        validation: byTask(parts, ({ data }) => data.validation),
      },
      options: {
        ...training,
        seed,
        config: { weights, head, data },
        ...Object.keys(retain).length === 0 ? {} : { retain },
        ...validates || run.patience !== undefined ? { earlyStopping: stopping(run, parts) } : {},
      },
    }
  })
}

/** Metrics of all tasks, of several under `<task>.<metric>`. */
const metricsOf = (parts: ReadonlyArray<TaskPart>, evaluations: ReadonlyArray<Evaluation>): Metrics =>
  Object.fromEntries(
    parts.flatMap(({ name }, i) =>
      Object.entries(evaluations[i].metrics).map(([metric, value]) =>
        [name === undefined ? metric : `${name}.${metric}`, value] as const
      )
    ),
  )

/**
 * Trains as a run says, and writes adapter, report and summary into its folder. Lines about data, memory, model and scores
 * are events too. A run that does not fit into memory fails before its model is loaded. An interruption writes a
 * checkpoint, from which `resume` goes on. The model's memory is freed with the scope.
 */
export function trainRun(
  run: ResolvedRun,
  { resume = false, overwrite = false, trace = false, observe, reviews = [] }: RunOptions = {},
): Effect.Effect<TrainedRun, RunError, RunServices> {
  return Effect.gen(function* () {
    const { output, methods, model: { path } } = run
    const tell = toldTo(observe)
    const backend = yield* Backend
    yield* checkOutput(output, { resume, overwrite })
    yield* tell(`backend: ${backend.info.description}`)
    const parts = yield* readParts(run, tell)
    const general = yield* generalRows(run, parts)
    const { data, options } = yield* trainingOf(run, parts, general)
    const memory = yield* checkMemory({
      path,
      loading: loadingOf(run, parts),
      data,
      options: withJudging(options, parts),
    })
    yield* tell(`memory: ${memoryLine(memory)}`)
    const model = yield* loaded(run, parts, tell)
    const reviewing = yield* Effect.forEach(reviews, (review) => review({ run, parts, model, tell }))
    const before = yield* judged(run, parts, model, (text) => tell(`before${text}`))
    yield* clearOutput(output, { resume, overwrite })
    const trained = yield* fit(model, data, {
      ...options,
      runFolder: output,
      resume,
      ...observe === undefined ? {} : { observe },
      ...trace ? { traceStep: TRACED_STEP } : {},
    })
    const after = yield* judged(run, parts, model, (text) => tell(`after${text}`))
    const findings = yield* Effect.forEach(reviewing, (review) => review(after))

    const adapter = `${output}/adapter`
    yield* trained.save(adapter)
    const { facts, ...told } = reportOf(parts, before, after)
    yield* trained.report({
      title: `${methods.map(({ method }) => method).join(" and ")} on ${parts.map(({ from }) => from.path).join(", ")}`,
      facts: { ...facts, "general text": general.told, memory: usedLine(memory, backend.memory(), trained) },
      ...told,
      sections: findings.flatMap(({ sections }) => sections),
    })
    yield* trained.summarize({
      base: byTask(parts, (_, i) => before[i].metrics),
      test: byTask(parts, (_, i) => after[i].metrics),
      judgedBy: byTask(parts, ({ judges }) => judges),
      memory,
      backend: backend.info.name,
      ...Object.assign({}, ...findings.map(({ summary }) => summary)),
      adapter,
    })
    const report = `${output}/report.html`
    yield* tell(`adapter: ${adapter}, report: ${report}`)
    const { folder: _, summarize: __, report: ___, ...account } = trained
    const scores = { before: metricsOf(parts, before), after: metricsOf(parts, after) }
    return { ...account, parts, memory, ...scores, adapter, report }
  })
}

/** Options with the rows that judge the model among those that are judged, for a forecast. */
function withJudging(options: TrainOptions, parts: ReadonlyArray<TaskPart>): TrainOptions {
  const rows = Object.fromEntries(parts.map(({ name = "judging rows", judging }) => [name, judging]))
  return { ...options, retain: { ...rows, ...options.retain } }
}

/** Evaluates what the folder of a run holds, without training. */
export function evaluateSaved(
  run: ResolvedRun,
  { observe }: Pick<RunOptions, "observe"> = {},
): Effect.Effect<Metrics, RunError, RunServices> {
  return Effect.gen(function* () {
    const tell = toldTo(observe)
    yield* tell(`backend: ${(yield* Backend).info.description}`)
    const parts = yield* readParts(run, tell)
    const model = yield* loaded(run, parts, tell)
    for (const { data } of parts) for (const note of data.train.notes ?? []) yield* tell(`data: ${note}`)
    yield* loadAdapters(model, `${run.output}/adapter`)
    return metricsOf(parts, yield* judged(run, parts, model, (text) => tell(`saved${text}`)))
  })
}
