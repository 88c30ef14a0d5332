/**
 * Steps that all training examples share: read, load, evaluate, train, evaluate, save, report.
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { type ResolvedData, type ResolvedRun, taskOf } from "../core/run/mod.ts"
import { Backend, Dataset, Model, type Task, Tokenizer, Trainer } from "../mod.ts"
import { AXES, balance, balanceSections } from "../plugins/balance/mod.ts"
import * as Chat from "../plugins/chat/mod.ts"
import { cardNotes, cardSections, dataCard, likelyMislabelled } from "../plugins/data_card/mod.ts"
import * as Quantization from "../plugins/quantization/mod.ts"
import { checkOutput, clearOutput, defined, progress, traceStep } from "./shared.ts"

/** Metrics as one line. */
const line = (metrics: Readonly<Record<string, number>>) =>
  Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`).join("  ")

/** Macro-F1 selects the weights of a classifier: classes differ in size, and the loss can rise while it improves. */
const stopping = ({ patience }: ResolvedRun, parts: ReadonlyArray<Part>): Trainer.EarlyStopping => ({
  ...defined({ patience }),
  metric: parts.every(({ task }) => "macroF1" in task.metrics) ? "macroF1" : "loss",
})

/** What figures do not say that come from the rows of a split. */
const CAVEATS: Readonly<Record<string, string>> = {
  validation: "these rows also choose the weights",
  training: "no rows are held out, so the figures say nothing about new rows",
}

/** A task of a run with its rows; a run of one task has one without a name. */
interface Part {
  readonly name?: string
  readonly from: ResolvedData
  readonly data: Divided
  readonly task: Task
  /** The rows that the model is judged by, and what they are. */
  readonly judging: Dataset.Data
  readonly judges: string
}

/** Reads the data; its labels come in the given order, or in that of the model's head. */
const read = (from: ResolvedData, { path: model, head }: ResolvedRun["model"]) =>
  Effect.gen(function* () {
    const { path, reading } = from
    const columns = yield* Chat.columnsOf(from, model)
    const found = yield* Dataset.file(path, columns, reading)
    if (reading.labels !== undefined || head === "new" || found.kind.classes === undefined) return found
    const own = yield* Model.headLabels(model, found.labels)
    if (own === undefined || `${own}` === `${found.labels}`) return found
    yield* Console.log(`data: labels in the order of the model's head: ${own.join(", ")}`)
    return yield* Dataset.file(path, columns, { ...reading, labels: own })
  })

/** The rows of a task in three parts; those to train on may be read while the model trains. */
interface Divided {
  readonly train: Dataset.Data | Dataset.StreamedData
  readonly validation: Dataset.Data
  readonly test: Dataset.Data
  /** Rows to train on. */
  readonly size: number
  /** Rows left out, and texts with several answers; of a stream they are not known. */
  readonly found?: Dataset.Splits<Dataset.Data>
}

const readSplit = (from: ResolvedData, { model, seed }: ResolvedRun) =>
  Effect.gen(function* () {
    const { path, reading, window, validation, test } = from
    const shares = { validation, test, seed }
    if (window === undefined) {
      const found = yield* read(from, model).pipe(Dataset.split(shares))
      return { ...found, size: found.train.rows.length, found } as Divided
    }
    const columns = yield* Chat.columnsOf(from, model.path)
    const found = yield* Dataset.stream(path, columns, { ...reading, window }).pipe(Dataset.splitStream(shares))
    return { ...found, size: found.train.count } as Divided
  })

/** Reads and divides the rows of a task. */
const partOf = (run: ResolvedRun, from: ResolvedData, name?: string) =>
  Effect.gen(function* () {
    const data = yield* readSplit(from, run)
    const whose = name === undefined ? "" : `${name}: `
    const { size, found } = data
    yield* Console.log(
      `data: ${whose}${from.path}, ${size} rows for training, ${data.validation.rows.length} for validation, ` +
        `${data.test.rows.length} for the test; ` +
        (found === undefined ? "read while the model trains" : `${found.removedDuplicates} duplicates removed`) +
        (found === undefined || found.conflicts.length === 0 ? "" : `, ${found.conflicts.length} with several labels`),
    )
    const splits = { test: data.test, validation: data.validation, ...found && { training: found.train } }
    const [judges, judging] = Object.entries(splits).find(([, { rows }]) => rows.length > 0)!
    const caveat = CAVEATS[judges]
    if (caveat !== undefined) yield* Console.log(`warning: ${whose}the model is judged by ${judges} rows; ${caveat}`)
    return { ...defined({ name }), from, data, task: taskOf(data.train, from.task), judging, judges } as Part
  })

/** Values by the names of tasks; of one without a name, its value alone. */
const byTask = <A>(parts: ReadonlyArray<Part>, valueOf: (part: Part, index: number) => A): A | Record<string, A> => {
  const values = parts.map(valueOf)
  return parts[0].name === undefined ? values[0] : Object.fromEntries(parts.map(({ name }, i) => [name!, values[i]]))
}

/** Old rows by name, with the labels of the rows that are trained on. */
const readOld = (rows: ResolvedRun["retain"], parts: ReadonlyArray<Part>, model: string) =>
  Effect.map(
    Effect.forEach(Object.entries(rows), ([name, from]) =>
      Effect.gen(function* () {
        const { labels, kind } = (parts.find((part) => part.name === name) ?? parts[0]).data.train
        const own = { ...from.reading, ...kind.classes === undefined ? {} : { labels } }
        return [name, yield* Dataset.file(from.path, yield* Chat.columnsOf(from, model), own)] as const
      })),
    (read): Readonly<Record<string, Dataset.Data>> => Object.fromEntries(read),
  )

/** Data and model of a run, and its evaluation. */
const prepare = (run: ResolvedRun) =>
  Effect.gen(function* () {
    const { seed, model: { path, weights, head }, training: { maxLength } } = run
    const backend = yield* Backend
    yield* Console.log(`backend: ${backend.info.description}`)
    const parts = "one" in run.data
      ? [yield* partOf(run, run.data.one)]
      : yield* Effect.forEach(Object.entries(run.data.several), ([name, from]) => partOf(run, from, name))
    const loading = { seed, weights, head }
    const model = yield* "one" in run.data
      ? Model.load(path, { ...loading, task: parts[0].task })
      : Model.load(path, { ...loading, tasks: Object.fromEntries(parts.map(({ name, task }) => [name!, task])) })
    for (const note of model.notes) yield* Console.log(`model: ${note}`)
    const measure = (when: string) =>
      Effect.forEach(parts, ({ name, judging }) =>
        Effect.gen(function* () {
          const view = name === undefined ? model : model.view({ task: name })
          const found = yield* Trainer.evaluate(view, judging, { maxLength, batchSize: 32 })
          yield* Console.log(`${when}${name === undefined ? "" : `, ${name}`}: ${line(found.metrics)}`)
          return found
        }))
    return { backend, parts, model, measure }
  })

/** What there is to know of the rows of each task; of a stream, of those that judge. */
const cardsOf = ({ training: { maxLength } }: ResolvedRun, parts: ReadonlyArray<Part>, model: Model.Model) =>
  Effect.gen(function* () {
    const tokenizer = yield* Tokenizer.loadTokenizer(model.companions ?? model.directory)
    return yield* Effect.forEach(parts, ({ name, task, data: { found, validation, test } }) =>
      Effect.gen(function* () {
        const rows = { ...found && { training: found.train }, validation, test }
        const card = yield* dataCard(rows, { tokenizer, task, maxLength })
        for (const note of cardNotes(card)) yield* Console.log(`data: ${name === undefined ? "" : `${name}: `}${note}`)
        return card
      }))
  })

/** Balance of the model on the rows that judge it, of each task; of none if the run does not ask. */
const balanceOf = (run: ResolvedRun, parts: ReadonlyArray<Part>, model: Model.Model) =>
  Effect.forEach(run.balance === undefined ? [] : parts, ({ name, judging }) => {
    const axes = run.balance === true ? AXES : run.balance!
    const view = name === undefined ? model : model.view({ task: name })
    return balance(view, judging, { axes, maxLength: run.training.maxLength, batchSize: 32 })
  })

/** Rows whose labels are likely wrong, of those that judge and were not trained on. */
const mislabelledOf = ({ judging, judges }: Part, { predictions }: Trainer.Evaluation) => {
  const fits = judges !== "training" && judging.kind.stratified && predictions.length === judging.rows.length
  return fits ? { of: `the ${judges} rows`, rows: likelyMislabelled(judging, predictions) } : undefined
}

/**
 * Trains and writes adapter and report into the run folder.
 *
 * @param ending What is done with the trained model.
 */
export const train = <E = never, R = never>(
  run: ResolvedRun,
  flags: { readonly resume: boolean; readonly overwrite: boolean; readonly trace: boolean },
  ending: (model: Model.Model) => Effect.Effect<void, E, R> = () => Effect.void,
) =>
  Effect.gen(function* () {
    const { output, model: { weights, head }, methods, seed, training } = run
    yield* checkOutput(output, flags)
    const { backend, parts, model, measure } = yield* prepare(run)
    const replay = yield* readOld(run.replay, parts, run.model.path)
    const retain = yield* readOld(run.retain, parts, run.model.path)
    const cards = yield* cardsOf(run, parts, model)
    const before = yield* measure("before")
    const unbalanced = yield* balanceOf(run, parts, model)

    yield* clearOutput(output, flags)
    const validates = parts.some(({ data }) => data.validation.rows.length > 0)
    const own = byTask(parts, ({ data }) => data.train)
    const splits = {
      train: (Object.keys(replay).length === 0 ? own : { new: own, ...replay }) as Trainer.TrainingData["train"],
      validation: byTask(parts, ({ data }) => data.validation),
    }
    const trained = yield* Trainer.fit(model, splits, {
      ...training,
      seed,
      runFolder: output,
      resume: flags.resume,
      observe: progress(),
      config: {
        weights,
        head,
        data: byTask(parts, ({ from: { path, validation, test, reading: { labels } } }) => ({
          path,
          validation,
          test,
          ...defined({ labels }),
        })),
      },
      ...Object.keys(retain).length === 0 ? {} : { retain },
      ...traceStep(flags.trace),
      ...validates || run.patience !== undefined ? { earlyStopping: stopping(run, parts) } : {},
    })
    const after = yield* measure("after")
    const balanced = yield* balanceOf(run, parts, model)

    const adapter = `${output}/adapter`
    yield* trained.save(adapter)
    yield* trained.report({
      title: `${methods.map(({ method }) => method).join(" and ")} on ${parts.map(({ from }) => from.path).join(", ")}`,
      ...reportOf(parts, before, after),
      sections: [
        ...Quantization.sections(model),
        ...balanced.flatMap((one, i) => balanceSections(unbalanced[i], one)),
        ...parts.flatMap((part, i) => cardSections(cards[i], mislabelledOf(part, after[i]))),
      ],
    })
    yield* trained.summarize({
      base: byTask(parts, (_, i) => before[i].metrics),
      test: byTask(parts, (_, i) => after[i].metrics),
      judgedBy: byTask(parts, ({ judges }) => judges),
      backend: backend.info.name,
      ...balanced.length === 0 ? {} : {
        balance: { before: byTask(parts, (_, i) => unbalanced[i]), after: byTask(parts, (_, i) => balanced[i]) },
      },
      dataCard: byTask(parts, (_, i) => cards[i]),
      adapter,
    })
    yield* Console.log(`adapter: ${adapter}, report: ${output}/report.html`)
    yield* ending(trained.model)
  }).pipe(Effect.scoped)

/** What the report says of the tasks. */
const reportOf = (
  parts: ReadonlyArray<Part>,
  before: ReadonlyArray<Trainer.Evaluation>,
  after: ReadonlyArray<Trainer.Evaluation>,
) => {
  const rowsOf = ({ name, judges }: Part) => `${name === undefined ? "" : `${name}, `}${judges} rows`
  const facts = parts.map((part) => [
    part.name === undefined ? "data" : `data of ${part.name}`,
    `${part.from.path}, ${part.task.kind}, judged by ${part.judges} rows`,
  ])
  const samples = parts.flatMap(({ name }, i) =>
    after[i].predictions.map(({ label, word, text, ...rest }) => ({
      ...rest,
      text: [name, word, text].filter((part) => part !== undefined).join(": "),
      predicted: label,
    }))
  )
  const [{ classification }] = after
  return {
    facts: Object.fromEntries(facts) as Readonly<Record<string, string>>,
    evaluations: parts.flatMap((part, i) => [
      { name: `before, ${rowsOf(part)}`, metrics: before[i].metrics },
      { name: `after, ${rowsOf(part)}`, metrics: after[i].metrics },
    ]),
    ...parts.length > 1 ? {} : defined({ division: parts[0].data.found, classification }),
    samples,
  }
}

/** Evaluates a saved run. */
export const evaluateSaved = (run: ResolvedRun) =>
  Effect.gen(function* () {
    const { parts, model, measure } = yield* prepare(run)
    for (const { data } of parts) for (const note of data.train.notes ?? []) yield* Console.log(`data: ${note}`)
    yield* Model.loadAdapters(model, `${run.output}/adapter`)
    yield* measure("saved")
  }).pipe(Effect.scoped)
