import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type {
  BatchContext,
  BatchSource,
  FinishedStep,
  Json,
  MicroBatch,
  Position,
  Step,
} from "../../core/contracts/batch_source.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { makeMicroBatch } from "../../core/data/batches/batches.ts"
import { difficultiesOf } from "./difficulty.ts"
import { type Gate, lossGate, rankGate, ranksOf } from "./gate.ts"
import { ID, type ResolvedOptions } from "./options.ts"
import { PACINGS } from "./pacing.ts"
import { makePool } from "./pool.ts"

/** Streams of random numbers: one for ranks, then one for each step. */
const RANK_STREAM = 0, FIRST_STEP_STREAM = 1

/** Draws other rows for the steps of a source, as many of the same tasks. Throws PluginError. */
export function curriculumSource(options: ResolvedOptions, next: BatchSource, run: BatchContext): BatchSource {
  const { order, difficulty } = options
  const competenceAt = paceOf(options, next, run)
  const rng = run.rng(RANK_STREAM)
  const tasks = new Map(
    Object.entries(next.tasks).map(([task, lengths]) => {
      const examples = run.examples[task] ?? []
      if (examples.length === 0) {
        throw wrong("a curriculum needs all rows in memory: read the data before, not as a stream")
      }
      const losses = difficulty === "feedback" ? new Float64Array(examples.length).fill(NaN) : undefined
      const gate: Gate = difficulty === "feedback"
        ? lossGate(losses!, order)
        : rankGate(ranksOf(difficultiesOf(difficulty, examples, task), order, rng))
      return [task, { lengths, losses, pool: makePool(examples.length, gate) }] as const
    }),
  )
  const maxLength = [...tasks.values()].reduce((most, { lengths }) => lengths.reduce((a, b) => Math.max(a, b), most), 1)
  const learn = (feedback: ReadonlyArray<FinishedStep>) => {
    for (const { examples = [] } of feedback) {
      for (const { task, row, loss } of examples) {
        const { losses } = tasks.get(task)!
        if (losses !== undefined) losses[row] = loss
      }
    }
  }
  const redraw = ({ microBatches }: Step, step: number): Step => {
    const stepRng = run.rng(FIRST_STEP_STREAM + step)
    const competence = competenceAt(step)
    return {
      microBatches: microBatches.map(({ task, rows }): MicroBatch => {
        const { pool, lengths } = tasks.get(task)!
        const drawn = pool.draw(rows.filter((row) => row >= 0).length, competence, stepRng)
        return makeMicroBatch(task, drawn, lengths, { batchSize: rows.length, maxLength })
      }),
    }
  }
  return {
    tasks: next.tasks,
    steps: next.steps,
    next: (position, feedback) =>
      mapPull(next.next(position, feedback), (step) => {
        learn(feedback)
        return step && redraw(step, stepNumber(next, position))
      }),
    state: {
      save: () =>
        Object.fromEntries([...tasks].map(([task, { pool, losses }]) => [task, {
          drawn: pool.save(),
          // JSON has no NaN.
          ...losses === undefined ? {} : { losses: Array.from(losses, (loss) => Number.isNaN(loss) ? null : loss) },
        }])),
      restore: (state) => {
        for (const [task, { pool, losses }] of tasks) {
          const own = (state as Readonly<Record<string, Readonly<Record<string, Json>>>> | null)?.[task]
          pool.restore(own?.drawn)
          if (losses !== undefined) restoreLosses(losses, own?.losses)
        }
      },
    },
  }
}

type Pull = Effect.Effect<Step | undefined, Error>
const isDone = (pull: Pull): pull is Exit.Exit<Step | undefined, Error> => Exit.isExit(pull)

/** A pull with another result. One that is there already stays so: the loop need not wait. */
function mapPull(pull: Pull, change: (step: Step | undefined) => Step | undefined): Pull {
  return isDone(pull) ? Exit.map(pull, change) : Effect.map(pull, change)
}

/** Number of a step in the run, from 0. */
function stepNumber(source: BatchSource, { epoch, step }: Position): number {
  return epoch === 0 ? step : epoch * source.steps(0) + step
}

/** The competence at a step. */
function paceOf(options: ResolvedOptions, next: BatchSource, run: BatchContext): (step: number) => number {
  const { difficulty, pacing, start, stages } = options
  const total = run.totalSteps(next)
  const first = difficulty === "feedback" ? next.steps(0) : 0
  if (first >= total) {
    throw wrong(
      `difficulty "feedback" takes the losses of the first epoch (${first} steps), and the run has ${total}: ` +
        "take more epochs, or another difficulty",
    )
  }
  const duration = options.duration ?? Math.max(1, Math.round((total - first) / 2))
  return (step) => {
    const progress = Math.max(0, step - first) / duration
    return progress >= 1 ? 1 : PACINGS[pacing]({ progress, start, stages })
  }
}

function restoreLosses(losses: Float64Array, state: Json | undefined): void {
  const isLoss = (value: unknown) => value === null || typeof value === "number"
  if (!Array.isArray(state) || state.length !== losses.length || !state.every(isLoss)) {
    throw new Error(`losses must be a list of ${losses.length} numbers`)
  }
  state.forEach((loss, row) => losses[row] = loss ?? NaN)
}

function wrong(message: string): PluginError {
  return new PluginError({ plugin: ID, message: `${ID}: ${message}` })
}
