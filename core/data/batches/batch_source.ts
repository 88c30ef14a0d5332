import * as Effect from "effect/Effect"
import type { BatchSource, Step } from "../../contracts/batch_source.ts"
import { type BatchOptions, makeBatches } from "./batches.ts"
import type { Example } from "../encode.ts"

/**
 * Draws every example once an epoch; a step has micro-batches of each task that has some left. A pure function of its
 * arguments.
 *
 * @throws DataError as {@link makeBatches}.
 */
export function makeBatchSource(
  tasks: Readonly<Record<string, { readonly examples: ReadonlyArray<Example> }>>,
  options: Omit<BatchOptions, "task">,
): BatchSource {
  const sources = Object.entries(tasks).map(([task, { examples }]) => makeBatches(examples, { ...options, task }))
  const steps = Math.max(...sources.map((source) => source.steps))
  let drawn = -1
  let epochs: ReadonlyArray<ReadonlyArray<Step>> = []
  return {
    tasks: Object.fromEntries(sources.map(({ task, lengths }) => [task, lengths])),
    steps: () => steps,
    next: ({ epoch, step }) => {
      if (epoch !== drawn) {
        epochs = sources.map((source) => source.epoch(epoch))
        drawn = epoch
      }
      return Effect.succeed({ microBatches: epochs.flatMap((own) => own[step]?.microBatches ?? []) })
    },
  }
}
