import type { BatchContext, BatchSource, FinishedStep, Step } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import { makeBatchSource } from "../../../core/data/batches/batch_source.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { type CurriculumOptions, resolveOptions } from "../../../plugins/curriculum/options.ts"
import { curriculumSource } from "../../../plugins/curriculum/source.ts"

/** Rows of the tasks, by their token ids. */
export type Tasks = Readonly<Record<string, ReadonlyArray<ReadonlyArray<number>>>>

/** `count` rows; row i has i + 1 tokens. */
export const rowsByLength = (count: number): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: count }, (_, row) => Array.from({ length: row + 1 }, (_, at) => at % 7))

/** A curriculum over the usual source of a run of `epochs`. */
export function sourceOf(
  tasks: Tasks,
  options: CurriculumOptions,
  { epochs = 4, batchSize = 4, accumulation = 1, seed = 1, numbers }: {
    readonly epochs?: number
    readonly batchSize?: number
    readonly accumulation?: number
    readonly seed?: number
    readonly numbers?: (row: number) => Readonly<Record<string, number>>
  } = {},
): BatchSource {
  const examples = Object.fromEntries(
    Object.entries(tasks).map(([task, rows]) => [
      task,
      rows.map((tokens, index) => ({
        tokens: Int32Array.from(tokens),
        fields: {},
        index,
        row: index + 1,
        ...numbers === undefined ? {} : { numbers: numbers(index) },
      })),
    ]),
  )
  const inner = makeBatchSource(
    Object.fromEntries(Object.entries(examples).map(([task, examples]) => [task, { examples }])),
    { batchSize, accumulation, maxLength: 64, seed },
  )
  const run: BatchContext = {
    examples,
    totalSteps: (source) => epochs * source.steps(0),
    rng: (stream) => makeRng(seed, 77, stream),
  }
  return curriculumSource(resolveOptions(options), inner, run)
}

/** The step with a number, counted from 0 over all epochs. */
export function stepAt(source: BatchSource, step: number, feedback: ReadonlyArray<FinishedStep> = []): Step {
  const length = source.steps(0)
  const position = { epoch: Math.floor(step / length), step: step % length }
  return Effect.runSync(source.next(position, feedback))!
}

/** Rows of a step's task, without empty ones. */
export function rowsOf({ microBatches }: Step, task = "default"): ReadonlyArray<number> {
  return microBatches.flatMap((own) => own.task === task ? Array.from(own.rows).filter((row) => row >= 0) : [])
}
