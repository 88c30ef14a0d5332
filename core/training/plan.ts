import type { BatchSource, MicroBatch, RunExample, Step } from "../contracts/batch_source.ts"
import { DEFAULT_TASK } from "../contracts/batch_source.ts"
import type { Contribution, RunPlan } from "../contracts/contribution.ts"
import type { makeStreamSource, StreamSource } from "../data/batches/stream_source.ts"
import { makeBatchSource } from "../data/batches/batch_source.ts"
import { type Batch, collate } from "../data/batches/batches.ts"
import { digest } from "../data/digest.ts"
import type { StreamedData } from "../data/data.ts"
import type { Example } from "../data/encode.ts"
import { packOrCollate } from "../data/batches/packed_row.ts"
import type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
import { trainsWhole } from "../model/load/trainable.ts"
import type { Model, ModelParameter } from "../model/model.ts"
import type { TaskOf } from "../tasks/task.ts"
import { makeRng } from "../tensor/operations/random.ts"
import { sizeOf } from "../tensor/shape.ts"
import { checkStep } from "./step/check_step.ts"
import { hasNamedTasks, taskNamed } from "./step/task_named.ts"
import { prepared } from "./step/prepared.ts"
import { type BatchPipeline, makeBatchPipeline } from "./step/batch_pipeline.ts"
import { againstPaddingFree } from "./step/padding_free.ts"
import type { FullOptions } from "./options.ts"
import { type SessionOptions, trainedParameters } from "./step/session_options.ts"
import {
  checkData,
  encodeData,
  isStreamed,
  padIdOf,
  type TaskExamples,
  tasksOf,
  type TrainingData,
} from "./loop/training_data.ts"
import { TrainingError } from "./training_error.ts"

/** Everything about a run that is decided before it starts. */
export interface Plan {
  /** Name of the model, for events and `config.json`. */
  readonly name: string
  /** The task that examples of a name belong to. */
  readonly taskOf: (name: string) => TaskOf
  /** What takes part in the run, prepared for it. */
  readonly contributions: ReadonlyArray<Contribution>
  readonly train: Readonly<Record<string, TaskExamples>>
  readonly validation: Readonly<Record<string, TaskExamples>>
  /** Old rows, judged before and after. */
  readonly retained: Readonly<Record<string, TaskExamples>>
  readonly batches: BatchPipeline
  /** Set where rows are read while the model trains. */
  readonly stream?: StreamSource
  readonly totalSteps: number
  /** Steps of each epoch; the last one may be incomplete. */
  readonly epochSteps: ReadonlyArray<number>
  /** Steps of the warm-up. */
  readonly warmup: number
  readonly session: SessionOptions
  /** Trained parameters. */
  readonly parameters: ReadonlyArray<ModelParameter>
  /** The metric that selects the best weights; `sign` is 1 if higher is better. */
  readonly watched: { readonly metric: string; readonly sign: number; readonly minDelta: number }
  /** The micro-batches of a step, of a number in the run, as arrays. Throws {@link TrainingError} for wrong rows or lengths. */
  readonly collate: (step: Step, number: number) => ReadonlyArray<Batch>
  readonly evaluation: { readonly batchSize: number; readonly padId: number | undefined }
  readonly counts: { readonly trainableParameters: number; readonly totalParameters: number }
  /** For `config.json` of the run folder. Of streamed rows the first window must be there. */
  readonly config: () => Readonly<Record<string, unknown>>
  readonly tokenizer: Tokenizer
  /** Limit to which longer texts were cut. */
  readonly maxLength: number | undefined
}

/** Checks a run and prepares it. Throws {@link TrainingError} or DataError. */
export function planRun(
  model: Model,
  data: TrainingData,
  tokenizer: Tokenizer,
  options: FullOptions,
  streaming?: typeof makeStreamSource,
): Plan {
  const { network } = model
  const taskOf = (name: string) => taskNamed(model, name)
  const wrong = (message: string) => new TrainingError({ reason: "Options", message })
  const isOfTasks = hasNamedTasks(model) && !isStreamed(data.train)
  const parameters = trainedParameters(model, isOfTasks ? Object.keys(tasksOf(data.train)) : undefined)
  if (tokenizer.vocabSize > network.vocabSize) {
    throw wrong(
      `the tokenizer has ${tokenizer.vocabSize} tokens, the model ${network.vocabSize}: they do not belong together`,
    )
  }
  const watched = watchedMetric(model, options)

  const encoding = {
    maxPositions: network.maxPositions,
    vocabSize: network.vocabSize,
    maxLength: options.maxLength,
    packing: options.packing,
    completionOnly: options.completionOnly,
  }
  const encodeAll = (split: TrainingData["validation"]): Record<string, TaskExamples> =>
    Object.fromEntries(
      Object.entries(tasksOf(split)).map(([name, own]) => [name, encodeData(own, taskOf(name), tokenizer, encoding)]),
    )
  if (data.train === undefined || data.train === null) throw wrong("there is no training split: give { train }")
  const streamed = isStreamed(data.train) ? endless(data.train, options) : undefined
  if (streamed !== undefined && hasNamedTasks(model)) {
    throw wrong(`${streamed.source} is a stream, of rows of one task: train a view of it, view({ task })`)
  }
  // By name: a run does not depend on the order in which the splits were given.
  const inMemory = isStreamed(data.train)
    ? {}
    : Object.fromEntries(Object.entries(encodeAll(data.train)).sort(([a], [b]) => a < b ? -1 : 1))
  if (streamed !== undefined) checkData({ ...streamed, rows: [] }, taskOf(DEFAULT_TASK))
  else if (Object.keys(inMemory).length === 0) throw wrong("the training split has no rows")
  else checkAllTrain(model, Object.keys(inMemory), Object.keys(options.retain ?? {}), parameters)
  const validation = encodeAll(data.validation)
  const retained = encodeAll(options.retain)
  const empty = Object.keys(options.retain ?? {}).filter((name) => !Object.hasOwn(retained, name))
  if (empty.length > 0) throw wrong(`retain has no rows of ${JSON.stringify(empty)}: give some, or leave the name out`)
  if (options.earlyStopping !== undefined) checkWatched(model, watched, validation)

  const all = Object.values(inMemory)
  const longest = streamed === undefined
    ? all.flatMap(({ examples }) => examples).reduce((most, { tokens }) => Math.max(most, tokens.length), 1)
    : options.maxLength ?? network.maxPositions
  const { batchSize, gradientAccumulationSteps: accumulation, seed } = options
  const against = againstPaddingFree(model)
  if (options.paddingFree === true && against !== undefined) throw wrong(`paddingFree is not possible: ${against}`)
  const paddingFree = options.paddingFree !== false && against === undefined
  const drawing = { batchSize, accumulation, seed, maxLength: longest, even: paddingFree }
  const vocabulary = { vocabSize: network.vocabSize, maskId: tokenizer.maskId }
  const stream = streamed === undefined
    ? undefined
    : streaming!(streamed, (window) => encodeData(window, taskOf(DEFAULT_TASK), tokenizer, encoding).examples, drawing)
  const train = streamed === undefined || stream === undefined ? inMemory : {
    [DEFAULT_TASK]: {
      data: { ...streamed, rows: [] },
      vocabulary,
      examples: stream.examples,
      truncated: 0,
      longest: 0,
      found: [],
    },
  }
  const known = runPlan({ train, validation, retained }, options, streamed !== undefined)
  const examplesPerStep = batchSize * accumulation
  const contributions = prepared({ seed, contributions: model.contributions, examplesPerStep, plan: known })
  const batches = makeBatchPipeline(stream ?? makeBatchSource(train, drawing), contributions, {
    seed,
    examples: Object.fromEntries(Object.entries(inMemory).map(([name, own]) => [name, runExamples(own)])),
    totalSteps: (source) => countSteps(source, options).totalSteps,
  })
  const { epochSteps, totalSteps } = countSteps(batches.source, options)

  const padId = padIdOf(tokenizer, network.vocabSize)
  const count = (own: ReadonlyArray<ModelParameter>) => own.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const name = model.directory === "" ? String(model.config.model_type) : model.directory
  return {
    name,
    taskOf,
    contributions,
    tokenizer,
    maxLength: options.maxLength,
    train,
    validation,
    retained,
    batches,
    ...stream === undefined ? {} : { stream },
    totalSteps,
    epochSteps,
    warmup: options.warmupSteps ?? Math.ceil(options.warmupRatio * totalSteps),
    session: {
      optimizer: options.optimizer,
      weightDecay: options.weightDecay,
      maxGradNorm: options.maxGradNorm,
      seed,
      tasks: Object.keys(train),
      examplesPerStep,
      gradientCheckpointing: options.gradientCheckpointing,
      prepare: (batch, key) => taskOf(batch.task).prepare?.(batch, key, vocabulary) ?? batch,
    },
    parameters,
    watched,
    collate: collating(train, taskOf, { padId, seed, packed: paddingFree ? longest : undefined }),
    evaluation: { batchSize: Math.max(32, batchSize), padId },
    counts: { trainableParameters: count(parameters), totalParameters: count(model.parameters) },
    config: () =>
      configOf(
        { ...model, contributions },
        name,
        { train, validation, retained, window: streamed?.window },
        options,
        paddingFree,
      ),
  }
}

/** A stream whose rows need not be counted, where the steps of the run are. */
function endless({ count, ...stream }: StreamedData, { maxSteps }: FullOptions): StreamedData {
  return count === undefined || maxSteps !== undefined ? stream : { ...stream, count }
}

/** Makes the batches of a step. `packed`: the longest example, where rows hold several. */
function collating(
  train: Plan["train"],
  taskOf: Plan["taskOf"],
  { padId, seed, packed }: {
    readonly padId: number | undefined
    readonly seed: number
    readonly packed: number | undefined
  },
): Plan["collate"] {
  return (step, number) => {
    checkStep(step, train)
    return step.microBatches.map((microBatch) => {
      const examples = drawnIn(train[microBatch.task].examples, microBatch, seed, number)
      const task = taskOf(microBatch.task)
      return packed === undefined
        ? collate(examples, microBatch, task, padId)
        : packOrCollate(examples, microBatch, packed, task, padId)
    })
  }
}

/** Stream of random numbers of draws, and those after it: one for each step. */
const DRAW_STREAM = 0x64000000

/** The examples of a micro-batch by their numbers, those that are drawn anew in each step as they are in this one. */
function drawnIn(
  examples: ReadonlyArray<Example>,
  { rows }: MicroBatch,
  seed: number,
  step: number,
): ReadonlyArray<Example> {
  if (rows.every((row) => row < 0 || examples[row].draw === undefined)) return examples
  const drawn: Array<Example> = []
  for (const row of rows) {
    if (row >= 0) drawn[row] = examples[row].draw?.(makeRng(seed, DRAW_STREAM + step, row)) ?? examples[row]
  }
  return drawn
}

/** The metric that decides which weights are best. Throws {@link TrainingError} where no task has it. */
function watchedMetric(model: Model, { earlyStopping }: FullOptions): Plan["watched"] {
  const metrics = metricsOf(model)
  const { metric = "loss", minDelta = 0 } = earlyStopping ?? {}
  if (Object.hasOwn(metrics, metric)) return { metric, sign: metrics[metric] === "lower" ? -1 : 1, minDelta }
  const message = `earlyStopping.metric is "${metric}"; there are ${Object.keys(metrics).join(", ")}`
  throw new TrainingError({ reason: "Options", message })
}

/** Throws {@link TrainingError} where no validation rows decide when to stop. */
function checkWatched(model: Model, { metric }: Plan["watched"], validation: Plan["validation"]): void {
  const wrong = (message: string) => new TrainingError({ reason: "Options", message })
  if (Object.keys(validation).length === 0) {
    throw wrong("earlyStopping needs a validation split with rows: provide one, or leave earlyStopping out")
  }
  const [task] = metric.split(".")
  if (metric.includes(".") && hasNamedTasks(model) && !Object.hasOwn(validation, task)) {
    throw wrong(`earlyStopping.metric is "${metric}", but the validation split has no rows of "${task}"`)
  }
}

/** What plugins are told of a run. */
function runPlan(
  { train, validation, retained }: Pick<Plan, "train" | "validation" | "retained">,
  { batchSize, epochs, maxSteps, packing, evaluateEvery }: FullOptions,
  streamed: boolean,
): RunPlan {
  const keys = (split: Plan["train"]) =>
    Object.values(split).flatMap(({ examples }) => examples.map((example) => digestOf([example])))
  return {
    rows: Object.fromEntries(Object.entries(train).map(([task, { examples }]) => [task, examples.length])),
    retained: Object.keys(retained),
    batchSize,
    epochs,
    ...(maxSteps === undefined ? {} : { maxSteps }),
    packing,
    streamed,
    validation: () => {
      const [known, judging] = [new Set(keys(train)), evaluateEvery === "never" ? [] : keys(validation)]
      return { rows: judging.length, ofTraining: judging.filter((key) => known.has(key)).length }
    },
  }
}

/** Throws {@link TrainingError} where a task of several has nothing to learn from, or with. */
function checkAllTrain(
  model: Model,
  train: ReadonlyArray<string>,
  retained: ReadonlyArray<string>,
  trained: ReadonlyArray<ModelParameter>,
): void {
  if (!hasNamedTasks(model)) return
  const isFor = (name: string) => ({ tasks = [name] }: { readonly tasks?: ReadonlyArray<string> }) =>
    tasks.includes(name)
  const methods = model.contributions.filter(({ sites = [], trains }) => sites.length > 0 || trains !== undefined)
  const left = train.filter((name) =>
    !trained.some(isFor(name)) || !(trainsWhole(model.contributions) || methods.some(isFor(name)))
  )
  if (left.length > 0) {
    const message = `no method that trains is for ${JSON.stringify(left)}: give one, or train a view of the other tasks`
    throw new TrainingError({ reason: "Options", message })
  }
  const idle = Object.keys(model.tasks).filter((name) => !train.includes(name) && !retained.includes(name))
  if (idle.length === 0) return
  const message = `the training split has no rows of ${JSON.stringify(idle)}: give some, train a view of the other ` +
    "tasks, or give rows to `retain`, so that their heads stay as they are"
  throw new TrainingError({ reason: "Options", message })
}

/** Metrics that all tasks have, and of a model of several those of each, as `<task>.<metric>`; which value is better. */
function metricsOf(model: Model): TaskOf["metrics"] {
  const all = Object.entries(model.tasks).map(([name, { task: { metrics } }]) => ({ name, metrics }))
  const shared = Object.entries(all[0].metrics).filter(([metric]) => all.every(({ metrics }) => metric in metrics))
  const own = all.flatMap(({ name, metrics }) =>
    Object.entries(metrics).map(([metric, better]) => [`${name}.${metric}`, better] as const)
  )
  return Object.fromEntries([...shared, ...(hasNamedTasks(model) ? own : [])])
}

/** Settings that decide the outcome of a run. */
function configOf(
  { tasks, contributions }: Pick<Model, "tasks" | "contributions">,
  name: string,
  splits: Pick<Plan, "train" | "validation" | "retained"> & { readonly window?: number | undefined },
  options: FullOptions,
  paddingFree: boolean,
): ReturnType<Plan["config"]> {
  const { tokenizer: _, observe: __, runFolder: ___, resume: ____, traceStep: _____, retain, ...known } = options
  const { config, optimizer, ...rest } = known
  const describe = (split: Plan["train"]) =>
    Object.fromEntries(
      Object.entries(split).map(([name, { data, examples }]) => [
        name,
        { source: data.source, examples: examples.length, digest: digestOf(examples) },
      ]),
    )
  const own = Object.fromEntries(
    Object.entries(tasks).map(([name, { task: { kind, labels } }]) => [name, { kind, labels }]),
  )
  return {
    ...config,
    model: name,
    ...(hasNamedTasks({ tasks }) ? { tasks: own } : { task: Object.values(own)[0] }),
    methods: contributions.map(({ id }) => id),
    settings: Object.fromEntries(contributions.map(({ id, settings, tasks }) => [id, { ...settings, tasks }])),
    train: describe(splits.train),
    ...(splits.window === undefined ? {} : { window: splits.window }),
    validation: describe(splits.validation),
    ...(retain === undefined ? {} : { retained: describe(splits.retained) }),
    training: { ...rest, optimizer: optimizer.name, optimizerSettings: optimizer.settings, paddingFree },
  }
}

/** Examples with the numbers of their rows. */
function runExamples({ examples, data: { rows } }: TaskExamples): ReadonlyArray<RunExample> {
  return examples.map(({ tokens, index }) => {
    const { numbers } = rows[index]
    return numbers === undefined ? { tokens } : { tokens, numbers }
  })
}

/** Steps of each epoch and of the run. */
function countSteps(source: BatchSource, { epochs, maxSteps }: FullOptions): Pick<Plan, "epochSteps" | "totalSteps"> {
  const wrong = (message: string) => new TrainingError({ reason: "Options", message })
  const epochSteps: number[] = []
  let total = 0
  while (maxSteps === undefined ? epochSteps.length < epochs : total < maxSteps) {
    const steps = source.steps(epochSteps.length)
    if (steps === 0) throw wrong(`epoch ${epochSteps.length + 1} would have no steps`)
    if (steps === Infinity && maxSteps === undefined) throw wrong("an epoch of these batches has no end: set maxSteps")
    if (steps !== Infinity && !(Number.isSafeInteger(steps) && steps > 0)) {
      throw wrong(`a plugin's batches: an epoch has ${steps} steps; it must be a whole number from 1, or Infinity`)
    }
    epochSteps.push(steps)
    total += steps
  }
  return { epochSteps, totalSteps: maxSteps ?? total }
}

/** Digest of tokens and labels. */
const digestOf = (examples: ReadonlyArray<Example>): string =>
  digest(examples.flatMap(({ tokens, fields }) => [tokens, ...Object.values(fields)]))
