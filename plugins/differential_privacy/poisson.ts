/**
 * Poisson sampling: each row is in a step with the same probability, whatever else is in it. The accountants hold for this
 * sampling alone.
 * @module
 */
import * as Effect from "effect/Effect"
import type { BatchSource, BatchState, Json, MicroBatch } from "../../core/contracts/batch_source.ts"
import { makeMicroBatch } from "../authoring/mod.ts"
import { BLOCK, chachaBlock } from "./noise/chacha.ts"

/** What a source draws. */
export interface PoissonOptions {
  /** Probability of a row to be in a step. */
  readonly sampleRate: number
  /** Steps of an epoch. */
  readonly epochSteps: number
  /** Steps after which the budget is spent. */
  readonly allowedSteps: number
  /** Rows of a micro-batch; the last one of a step is filled with empty rows. */
  readonly batchSize: number
  /** Epsilon after some steps. */
  readonly spent: (steps: number) => number
}

const KEY_WORDS = 8

/** Draws rows of all tasks under a secret key from `crypto`; the source inside only says how many tokens they have. */
export function poissonSource({ tasks }: BatchSource, options: PoissonOptions): BatchSource {
  const { sampleRate, epochSteps, allowedSteps, batchSize, spent } = options
  const maxLength = Object.values(tasks).flatMap((lengths) => [...lengths]).reduce((a, b) => Math.max(a, b), 1)
  let key: ReadonlyArray<number> = Array.from(crypto.getRandomValues(new Uint32Array(KEY_WORDS)))
  let drawn = 0
  const draw = (step: number): ReadonlyArray<MicroBatch> => {
    const isIn = chooser(key, step, sampleRate)
    return Object.entries(tasks).flatMap(([task, lengths]) => {
      const rows = [...lengths.keys()].filter(isIn).sort((a, b) => lengths[a] - lengths[b])
      const parts = Array.from({ length: Math.ceil(rows.length / batchSize) }, (_, i) => i * batchSize)
      return parts.map((from) =>
        makeMicroBatch(task, rows.slice(from, from + batchSize), lengths, { batchSize, maxLength })
      )
    })
  }
  const state: BatchState = {
    save: () => ({ key, steps: drawn, epsilon: spent(drawn) }),
    restore: (saved) => ({ key, steps: drawn } = readState(saved)),
  }
  return {
    tasks,
    steps: () => epochSteps,
    next: ({ epoch, step }) =>
      Effect.sync(() => {
        const at = epoch * epochSteps + step
        if (at >= allowedSteps) return undefined
        const microBatches = draw(at)
        drawn = at + 1
        return { microBatches }
      }),
    state,
  }
}

/** Whether the next row is in a step: a word of 32 bits for each, in their order. */
function chooser(key: ReadonlyArray<number>, step: number, sampleRate: number): () => boolean {
  // Rounded down: a lower probability spends less.
  const limit = Math.floor(sampleRate * 2 ** 32)
  let row = 0
  let words = new Uint32Array(0)
  return () => {
    const at = row++
    if (at % BLOCK === 0) words = chachaBlock(key, at / BLOCK, [step, 0, 0]) as Uint32Array<ArrayBuffer>
    return words[at % BLOCK] < limit
  }
}

/** Throws an Error for what is not a state. */
function readState(saved: Json): { readonly key: ReadonlyArray<number>; readonly steps: number } {
  const { key, steps } = (saved ?? {}) as { readonly key?: ReadonlyArray<number>; readonly steps?: number }
  const isKey = Array.isArray(key) && key.length === KEY_WORDS && key.every((word) => word === word >>> 0)
  if (!isKey || !Number.isSafeInteger(steps)) throw new Error("it has no key of the sampling")
  return { key, steps: steps! }
}
