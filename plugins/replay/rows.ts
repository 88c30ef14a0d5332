import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { BatchContext, BatchSource, Step } from "../../core/contracts/batch_source.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import { makeMicroBatch } from "../../core/data/batches/batches.ts"
import { type ResolvedRowsOptions, ROWS_ID } from "./rows_options.ts"

/** Streams of random numbers of an old task: one for its sample, then one for each pass over it. */
const streamOf = (task: number, tasks: number, pass: number) => task + tasks * pass

/**
 * Puts steps of old rows between those of the new ones, evenly. An epoch has every new row once; old rows come pass by pass
 * over their sample. A pure function of the position, so that it has no state. Throws PluginError.
 */
export function replayedRows(options: ResolvedRowsOptions, next: BatchSource, run: BatchContext): BatchSource {
  check(options, next)
  const isNew = ({ microBatches }: Step) => microBatches.some(({ task }) => !options.tasks.includes(task))
  const newSteps = (epoch: number): ReadonlyArray<Step> =>
    Array.from({ length: next.steps(epoch) }, (_, step) => pulled(next.next({ epoch, step }, []))).filter(isNew)
  const first = newSteps(0)
  const old = Math.max(1, Math.round(first.length * options.share / (1 - options.share)))
  const total = first.length + old
  const oldBefore = (step: number) => Math.floor(step * old / total)
  const largest = first.reduce((most, step) => step.microBatches.length > most.microBatches.length ? step : most)
  const oldStep = oldSteps(options, next, run, largest)
  let known = { epoch: 0, steps: first }
  return {
    tasks: next.tasks,
    steps: () => total,
    next: ({ epoch, step }) => {
      const before = oldBefore(step)
      if (oldBefore(step + 1) > before) return Effect.succeed(oldStep(epoch * old + before))
      if (known.epoch !== epoch) known = { epoch, steps: newSteps(epoch) }
      return Effect.succeed(known.steps[step - before])
    },
  }
}

/**
 * The steps of old rows, counted over the run, each as large as `like`; a smaller sample comes several times in a step.
 * Several tasks take turns.
 */
function oldSteps(
  { tasks, keep = Infinity }: ResolvedRowsOptions,
  next: BatchSource,
  run: BatchContext,
  like: Step,
): (at: number) => Step {
  const sizes = like.microBatches.map(({ rows }) => rows.length)
  const longest = Object.values(next.tasks).reduce((most, all) => all.reduce((a, b) => Math.max(a, b), most), 1)
  const samples = tasks.map((task, i) => {
    const rows = Array.from(next.tasks[task].keys())
    return rows.length <= keep ? rows : run.rng(streamOf(i, tasks.length, 0)).shuffle(rows).slice(0, keep)
  })
  return (at) => {
    const i = at % tasks.length
    const [task, sample] = [tasks[i], samples[i]]
    const passes = new Map<number, ReadonlyArray<number>>()
    /** Row `place` of the passes over the sample, one after the other. */
    const rowAt = (place: number) => {
      const pass = Math.floor(place / sample.length)
      const order = passes.get(pass) ?? run.rng(streamOf(i, tasks.length, pass + 1)).shuffle(sample)
      passes.set(pass, order)
      return order[place % sample.length]
    }
    let place = Math.floor(at / tasks.length) * sizes.reduce((a, b) => a + b)
    return {
      microBatches: sizes.map((batchSize) => {
        const rows = Array.from({ length: batchSize }, () => rowAt(place++))
        return makeMicroBatch(task, rows, next.tasks[task], { batchSize, maxLength: longest })
      }),
    }
  }
}

/** A step that is there without waiting. */
function pulled(pull: ReturnType<BatchSource["next"]>): Step {
  const exit = Effect.runSyncExit(pull)
  if (Exit.isSuccess(exit) && exit.value !== undefined) return exit.value
  throw undividable()
}

function undividable() {
  return pluginError(
    ROWS_ID,
    "it puts old rows between the steps of the trainer, and another plugin's batches, or a stream, come in an order that " +
      "it cannot divide: leave that plugin out, or read the data before",
  )
}

/** Throws PluginError where there is nothing to replay, or nothing new. */
function check({ tasks }: ResolvedRowsOptions, next: BatchSource): void {
  if (next.state !== undefined || next.steps(0) === Infinity) throw undividable()
  const names = Object.keys(next.tasks)
  const missing = tasks.filter((name) => (next.tasks[name]?.length ?? 0) === 0)
  if (missing.length > 0) {
    throw pluginError(
      ROWS_ID,
      `the training split has no rows of ${JSON.stringify(missing)}, only of ${
        JSON.stringify(names)
      }: give the old rows ` +
        "under their name, train: { new: ..., old: ... }",
    )
  }
  if (names.every((name) => tasks.includes(name))) {
    throw pluginError(ROWS_ID, `all rows are old ones, ${JSON.stringify(names)}: give new ones under another name`)
  }
}
