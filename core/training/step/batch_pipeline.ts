import type { BatchContext, BatchSource, BatchState } from "../../contracts/batch_source.ts"
import type { Contribution } from "../../contracts/contribution.ts"
import { hash } from "../../model/hash.ts"
import { makeRng } from "../../tensor/operations/random.ts"

/** A source of batches inside the wraps of plugins. */
export interface BatchPipeline {
  readonly source: BatchSource
  /** States of the wraps by plugin id, and that of the source inside as "data". */
  readonly states: ReadonlyMap<string, BatchState>
}

/** What the wraps are told of the run. */
export interface PipelineRun extends Omit<BatchContext, "rng"> {
  readonly seed: number
}

/** Wraps a source by the plugins, the first one innermost. */
export function makeBatchPipeline(
  drawn: BatchSource,
  contributions: ReadonlyArray<Contribution>,
  { seed, ...run }: PipelineRun,
): BatchPipeline {
  const states = new Map<string, BatchState>()
  if (drawn.state !== undefined) states.set("data", drawn.state)
  const source = contributions.reduce((next, { id, batches }) => {
    const own = batches?.(next, { ...run, rng: (stream) => makeRng(seed, hash(id), stream) }) ?? next
    // A wrap that spreads the source inside has its state too.
    if (own.state !== undefined && own.state !== next.state) states.set(id, own.state)
    return own
  }, drawn)
  return { source, states }
}
