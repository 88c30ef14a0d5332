/**
 * Steps that all training examples share: read, load, evaluate, train, evaluate, save, report.
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { type ResolvedRun, taskOf } from "../core/run/mod.ts"
import { Backend, Dataset, Model, type Task, Trainer } from "../mod.ts"
import { checkOutput, clearOutput, defined, progress, traceStep } from "./shared.ts"

/** Metrics as one line. */
const line = (metrics: Readonly<Record<string, number>>) =>
  Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`).join("  ")

/** Macro-F1 selects the weights of a classifier: classes differ in size, and the loss can rise while it improves. */
const stopping = ({ patience }: ResolvedRun, task: Task): Trainer.EarlyStopping => ({
  ...defined({ patience }),
  metric: "macroF1" in task.metrics ? "macroF1" : "loss",
})

/** What figures do not say that come from the rows of a split. */
const CAVEATS: Readonly<Record<string, string>> = {
  validation: "these rows also choose the weights",
  training: "no rows are held out, so the figures say nothing about new rows",
}

/** Reads the data; its labels come in the given order, or in that of the model's head. */
const read = ({ model: { path, head }, data, columns, reading }: ResolvedRun) =>
  Effect.gen(function* () {
    const found = yield* Dataset.file(data, columns, reading)
    if (reading.labels !== undefined || head === "new" || found.kind.classes === undefined) return found
    const own = yield* Model.headLabels(path, found.labels)
    if (own === undefined || `${own}` === `${found.labels}`) return found
    yield* Console.log(`data: labels in the order of the model's head: ${own.join(", ")}`)
    return yield* Dataset.file(data, columns, { ...reading, labels: own })
  })

/** Data and model of a run, and its evaluation. */
const prepare = (run: ResolvedRun) =>
  Effect.gen(function* () {
    const { validation, test, seed, model: { path, weights, head }, training: { maxLength } } = run
    const backend = yield* Backend
    yield* Console.log(`backend: ${backend.info.description}`)
    const data = yield* read(run).pipe(Dataset.split({ validation, test, seed }))
    yield* Console.log(
      `data: ${run.data}, ${data.train.rows.length} rows for training, ${data.validation.rows.length} for validation, ` +
        `${data.test.rows.length} for the test; ${data.removedDuplicates} duplicates removed` +
        (data.conflicts.length === 0 ? "" : `, ${data.conflicts.length} with several labels`),
    )
    const task = taskOf(data.train, run.task)
    const model = yield* Model.load(path, { task, seed, weights, head })
    for (const note of model.notes) yield* Console.log(`model: ${note}`)
    const splits = { test: data.test, validation: data.validation, training: data.train }
    const [judges, judging] = Object.entries(splits).find(([, { rows }]) => rows.length > 0)!
    const caveat = CAVEATS[judges]
    if (caveat !== undefined) yield* Console.log(`warning: the model is judged by ${judges} rows; ${caveat}`)
    return {
      backend,
      data,
      task,
      model,
      judges,
      measure: Trainer.evaluate(model, judging, { maxLength, batchSize: 32 }),
    }
  })

/** Trains and writes adapter and report into the run folder. */
export const train = (
  run: ResolvedRun,
  flags: { readonly resume: boolean; readonly overwrite: boolean; readonly trace: boolean },
) =>
  Effect.gen(function* () {
    const { output, model: { weights, head }, reading: { labels }, methods, validation, test, seed, training } = run
    yield* checkOutput(output, flags)
    const { backend, data, task, model, judges, measure } = yield* prepare(run)
    const before = yield* measure
    yield* Console.log(`before: ${line(before.metrics)}`)

    yield* clearOutput(output, flags)
    const trained = yield* Trainer.fit(model, data, {
      ...training,
      seed,
      runFolder: output,
      resume: flags.resume,
      observe: progress(),
      config: {
        data: run.data,
        weights,
        head,
        ...defined({ labels }),
        // By name, since their order in the file says nothing.
        options: Object.fromEntries(
          methods.map(({ method, name = "default", ...options }) => [`${method} ${name}`, options]),
        ),
        split: { validation, test },
      },
      ...traceStep(flags.trace),
      ...(data.validation.rows.length === 0 && run.patience === undefined
        ? {}
        : { earlyStopping: stopping(run, task) }),
    })
    const after = yield* measure
    yield* Console.log(`after: ${line(after.metrics)}`)

    const adapter = `${output}/adapter`
    yield* trained.save(adapter)
    yield* trained.report({
      title: `${methods.map(({ method }) => method).join(" and ")} on ${run.data}`,
      facts: { data: run.data, task: task.kind, "judged by": `${judges} rows` },
      evaluations: [
        { name: `before, ${judges} rows`, metrics: before.metrics },
        { name: `after, ${judges} rows`, metrics: after.metrics },
      ],
      ...(after.classification === undefined ? {} : { classification: after.classification }),
      division: data,
      samples: after.predictions.map(({ label, word, text, ...rest }) => ({
        ...rest,
        text: word === undefined ? text : `${word}: ${text}`,
        predicted: label,
      })),
    })
    yield* trained.summarize({
      base: before.metrics,
      test: after.metrics,
      judgedBy: judges,
      backend: backend.info.name,
      adapter,
    })
    yield* Console.log(`adapter: ${adapter}, report: ${output}/report.html`)
  }).pipe(Effect.scoped)

/** Evaluates a saved run. */
export const evaluateSaved = (run: ResolvedRun) =>
  Effect.gen(function* () {
    const { data, model, measure } = yield* prepare(run)
    for (const note of data.train.notes ?? []) yield* Console.log(`data: ${note}`)
    yield* Model.loadAdapters(model, `${run.output}/adapter`)
    yield* Console.log(`saved: ${line((yield* measure).metrics)}`)
  }).pipe(Effect.scoped)
