import type { BatchSource, BatchState, Json } from "../contracts/batch_source.ts"
import type { Contribution } from "../contracts/contribution.ts"
import { TrainingError } from "./training_error.ts"

/** A source of batches inside the wraps of plugins. */
export interface BatchPipeline {
  readonly source: BatchSource
  /** States of the wraps by plugin id. */
  readonly save: () => Readonly<Record<string, Json>>
  /** Goes back to saved states. Throws {@link TrainingError} (`Checkpoint`) where one is missing or wrong. */
  readonly restore: (states: Readonly<Record<string, Json>>) => void
}

/** Wraps a source by the plugins, the first one innermost. */
export function makeBatchPipeline(drawn: BatchSource, contributions: ReadonlyArray<Contribution>): BatchPipeline {
  const states = new Map<string, BatchState>()
  const source = contributions.reduce((next, { id, batches }) => {
    const own = batches?.(next) ?? next
    // A wrap that spreads the source inside has its state too.
    if (own.state !== undefined && own.state !== next.state) states.set(id, own.state)
    return own
  }, drawn)
  return {
    source,
    save: () => Object.fromEntries([...states].map(([id, state]) => [id, state.save()])),
    restore: (saved) => {
      for (const [id, state] of states) {
        try {
          if (!Object.hasOwn(saved, id)) throw new Error("the checkpoint has none")
          state.restore(saved[id])
        } catch (error) {
          const message = `cannot restore the state of the batches of "${id}": ${(error as Error).message}`
          throw new TrainingError({ reason: "Checkpoint", message })
        }
      }
    },
  }
}
