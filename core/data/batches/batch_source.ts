import * as Effect from "effect/Effect"
import type { BatchSource, Step } from "../../contracts/batch_source.ts"
import { type BatchOptions, makeBatches } from "./batches.ts"
import { makeRng } from "../../tensor/operations/random.ts"
import type { Example } from "../encode.ts"

/** Stream of random numbers for the order of tasks. */
const TASK_STREAM = 3

/**
 * Draws every example once an epoch: a step holds micro-batches of one task, and steps of several tasks come in random
 * order, so that each has a share in proportion to its examples. A pure function of its arguments.
 *
 * @throws DataError as {@link makeBatches}.
 */
export function makeBatchSource(
  tasks: Readonly<Record<string, { readonly examples: ReadonlyArray<Example> }>>,
  options: Omit<BatchOptions, "task">,
): BatchSource {
  const sources = Object.entries(tasks).map(([task, { examples }]) => makeBatches(examples, { ...options, task }))
  const steps = sources.reduce((sum, source) => sum + source.steps, 0)
  let drawn = -1
  let order: ReadonlyArray<Step> = []
  return {
    tasks: Object.fromEntries(sources.map(({ task, lengths }) => [task, lengths])),
    steps: () => steps,
    next: ({ epoch, step }) => {
      if (epoch !== drawn) {
        const all = sources.flatMap((source) => source.epoch(epoch))
        order = sources.length === 1 ? all : makeRng(options.seed ?? 0, TASK_STREAM, epoch).shuffle(all)
        drawn = epoch
      }
      return Effect.succeed(order[step])
    },
  }
}
