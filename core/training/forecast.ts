/**
 * The memory that a run will take, told before its model is loaded.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { Backend, type SlotRequest } from "../backend/backend.ts"
import { BackendError } from "../backend/backend_error.ts"
import { slotBytes } from "../backend/slots/slots.ts"
import type { Step } from "../contracts/batch_source.ts"
import type { Data, StreamedData } from "../data/data.ts"
import { tokenizerOf } from "../inference/tokenizer_option.ts"
import type { Outline } from "../model/load/load.ts"
import { attempt, attemptPromise } from "./loop/attempt.ts"
import { isStreamed, type Split, type TaskExamples, type TrainingData } from "./loop/training_data.ts"
import { type EvaluateError, evaluateExamples } from "./evaluate.ts"
import { fullOptions, type TrainOptions } from "./options.ts"
import { type Plan, planRun } from "./plan.ts"
import { makeSession } from "./session.ts"
import { modelOf } from "./step/task_named.ts"

/** Bytes that a run takes on its backend, by what they are for. The runtime itself takes more beside them. */
export interface Forecast {
  /** Frozen weights, as they are kept. */
  readonly frozenBytes: number
  /** Trained parameters, and the first values of those that are kept. */
  readonly trainedBytes: number
  /** State of the optimizer and of gradient transforms, and sums over micro-batches. */
  readonly stateBytes: number
  /** Temporaries of the largest program: a step, or an evaluation. */
  readonly temporaryBytes: number
  /** All of these. */
  readonly totalBytes: number
  /** Rows and tokens of the largest micro-batch; packed examples are one row. */
  readonly batch: readonly [rows: number, tokens: number]
  /** Why it has no room on the backend. Absent where it has. */
  readonly problem?: string
}

/** Most rows of a split that are looked at, besides its longest. */
const MOST_ROWS = 4096
/** Rows that are always looked at: the longest. */
const LONGEST_ROWS = 256
/** Most steps of the first epoch that are looked at. */
const MOST_STEPS = 4096

/**
 * Plans a run without its weights: programs are lowered for the largest batches, and all memory is counted. Of large splits
 * a part is looked at, the longest rows among it. What is wrong with options, data or plugins fails as in `fit`.
 *
 * @param outline What `Model.outline` gives.
 */
export function forecast(
  outline: Outline,
  data: TrainingData,
  options: TrainOptions = {},
): Effect.Effect<Forecast, EvaluateError, Backend | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const full = yield* attempt(() => fullOptions(options))
    const tokenizer = yield* tokenizerOf(outline, full.tokenizer)
    const train = isStreamed(data.train)
      ? yield* Effect.promise(() => firstRows(data.train as StreamedData))
      : data.train
    const part = {
      train: partOf(train),
      ...data.validation === undefined ? {} : { validation: partOf(data.validation) },
    }
    const plan = yield* attempt(() => planRun(outline, part, tokenizer, full))
    const steps = yield* largestSteps(plan)
    const frozenBytes = bytesOf(outline, false), trainedBytes = bytesOf(outline, true)
    const { inSlots, temporaryBytes, slots, batch } = yield* attemptPromise(async () => {
      const session = await makeSession({ ...outline, contributions: plan.contributions }, plan.session)
      const batches = steps.map(plan.collate)
      for (const own of batches) await session.post({ batches: own }, 0)
      await session.drain()
      for (const [name, own] of [...Object.entries(plan.validation), ...Object.entries(plan.retained)]) {
        const { batchSize } = plan.evaluation
        await evaluateExamples(modelOf(outline, name), longestOf(own, batchSize), plan.evaluation)
      }
      const { slotBytes: inSlots, temporaryBytes } = outline.backend.memory()
      const slots: ReadonlyArray<SlotRequest> = [...outline.backend.slots]
      await session.dispose()
      const [batch] = batches.flat().toSorted((a, b) => b.tokens.length - a.tokens.length)
      return { inSlots, temporaryBytes, slots, batch: batch?.shape ?? [0, 0] as const }
    })
    const problem = yield* roomProblem(slots, temporaryBytes)
    return {
      frozenBytes,
      trainedBytes,
      stateBytes: inSlots - frozenBytes - trainedBytes,
      temporaryBytes,
      totalBytes: inSlots + temporaryBytes,
      batch,
      ...problem === undefined ? {} : { problem },
    }
  })
}

/** Why slots and temporaries have no room beside what is there now. */
function roomProblem(
  slots: ReadonlyArray<SlotRequest>,
  temporaryBytes: number,
): Effect.Effect<string | undefined, never, Backend> {
  const temporaries = { name: "temporaries", shape: [Math.ceil(temporaryBytes / 4)], dtype: "f32" } as const
  return Effect.flatMap(Effect.service(Backend), (backend) =>
    Effect.tryPromise({
      try: () => backend.checkRoom([...slots, temporaries], "the run"),
      catch: (error) => error instanceof BackendError ? error.message : String(error),
    }).pipe(Effect.match({ onSuccess: () => undefined, onFailure: (message) => message })))
}

/** Bytes of parameters that train, or of the others. */
function bytesOf({ parameters }: Outline, trained: boolean): number {
  return parameters.filter(({ trainable }) => trainable === trained)
    .reduce(
      (sum, { slot, original }) => sum + slotBytes(slot) + (original === undefined ? 0 : slotBytes(original.slot)),
      0,
    )
}

/** The first rows of a stream. */
async function firstRows({ chunks, window: _, ...info }: StreamedData): Promise<Data> {
  const rows: Array<Data["rows"][number]> = []
  for await (const chunk of chunks) {
    rows.push(...chunk)
    if (rows.length >= MOST_ROWS) break
  }
  return { ...info, rows }
}

/** The split, or of a large one its longest rows and others at equal distances. */
function partOf(split: Split): Split {
  if (!Array.isArray((split as Data).rows)) {
    return Object.fromEntries(
      Object.entries(split as Readonly<Record<string, Data>>).map(([name, own]) => [name, partOf(own)]),
    ) as Split
  }
  const data = split as Data
  const { rows, kind } = data
  if (rows.length <= MOST_ROWS) return data
  const lengths = rows.map((row) => kind.texts(row).reduce((sum, text) => sum + text.length, 0))
  const longest = rows.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a]).slice(0, LONGEST_ROWS)
  const kept = new Set([
    ...longest,
    ...Array.from({ length: MOST_ROWS }, (_, i) => Math.floor(i * rows.length / MOST_ROWS)),
  ])
  return { ...data, rows: rows.filter((_, i) => kept.has(i)) }
}

/** Of each task, the steps with the largest micro-batches: by tokens with padding, and without. */
function largestSteps({ batches: { source }, epochSteps, train }: Plan): Effect.Effect<ReadonlyArray<Step>> {
  return Effect.gen(function* () {
    const largest = new Map<string, { readonly size: number; readonly step: Step }>()
    for (let at = 0; at < Math.min(epochSteps[0], MOST_STEPS); at++) {
      // A source that fails here fails in the run too, with the words of that place.
      const step = yield* source.next({ epoch: 0, step: at }, []).pipe(Effect.catch(() => Effect.succeed(undefined)))
      if (step === undefined) break
      for (const { task, rows, length } of step.microBatches) {
        const tokens = rows.reduce((sum, row) => sum + (row < 0 ? 0 : train[task].examples[row].tokens.length), 0)
        for (const [kind, size] of [["padded", rows.length * length], ["packed", tokens]] as const) {
          const key = `${kind}/${task}`
          if (size > (largest.get(key)?.size ?? 0)) largest.set(key, { size, step })
        }
      }
    }
    return [...new Set([...largest.values()].map(({ step }) => step))]
  })
}

/** The longest examples of a split. */
function longestOf({ examples, ...rest }: TaskExamples, count: number): TaskExamples {
  return { ...rest, examples: examples.toSorted((a, b) => b.tokens.length - a.tokens.length).slice(0, count) }
}
