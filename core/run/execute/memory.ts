/**
 * Whether a run fits into memory, and what would.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { Backend, type BackendMemory } from "../../backend/backend.ts"
import { BackendError } from "../../backend/backend_error.ts"
import type { Plugins } from "../../contracts/plugins.ts"
import type { Families } from "../../model/load/families.ts"
import { type LoadError, outline } from "../../model/load/load.ts"
import type { LoadOptions } from "../../model/load/load_options.ts"
import type { EvaluateError } from "../../training/evaluate.ts"
import { type Forecast, forecast } from "../../training/forecast.ts"
import type { TrainingData } from "../../training/loop/training_data.ts"
import type { TrainOptions } from "../../training/options.ts"
import type { RunAccount } from "../../training/run_folder/run.ts"
import { freeMemory } from "./free_memory.ts"

/** What a forecast is made from. */
export interface Planned {
  /** Directory of the model. */
  readonly path: string
  /** How it is loaded. */
  readonly loading: LoadOptions
  /** Rows of the run. */
  readonly data: TrainingData
  /** Options of the run, with all rows that are judged among `retain`. */
  readonly options: TrainOptions
}

/** Errors of a forecast. */
type ForecastError = LoadError | EvaluateError
/** Services of a forecast. */
type ForecastServices = Backend | Plugins | Families | FileSystem.FileSystem

/** Bytes as a person reads them: `412.3 MiB`, `5.10 GiB`. */
const show = (bytes: number): string =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`

/** A forecast as one line. */
export function memoryLine(
  { totalBytes, frozenBytes, trainedBytes, stateBytes, temporaryBytes, batch }: Forecast,
): string {
  return `${show(totalBytes)}: ${show(frozenBytes)} frozen weights, ${show(trainedBytes)} trained, ${
    show(stateBytes)
  } ` +
    `optimizer, ${show(temporaryBytes)} for batches of up to ${batch[0]} x ${batch[1]} tokens`
}

/** A forecast beside what the run took. */
export function usedLine(
  forecast: Forecast,
  { slotBytes, temporaryBytes }: BackendMemory,
  { peakMemoryBytes }: RunAccount,
): string {
  const resident = peakMemoryBytes === 0 ? "" : `; most of the process ${show(peakMemoryBytes)}`
  return `forecast ${memoryLine(forecast)}; used ${show(slotBytes + temporaryBytes)}${resident}`
}

const planned = ({ path, loading, data, options }: Planned): Effect.Effect<Forecast, ForecastError, ForecastServices> =>
  Effect.scoped(Effect.flatMap(outline(path, loading), (model) => forecast(model, data, options)))

/** Why a run does not fit; undefined where it does. */
const problemOf = ({ problem, totalBytes }: Forecast, free: number): string | undefined =>
  problem ??
    (totalBytes <= free
      ? undefined
      : `No room for the run: it needs ${show(totalBytes)}, and ${show(free)} of the machine's memory are free.`)

/**
 * Forecasts the memory of a run. Fails with a {@link BackendError} `OutOfMemory` where it does not fit into the backend's
 * memory, or, on a CPU, into what the machine has free, as far as that is known: with what would.
 */
export function checkMemory(run: Planned): Effect.Effect<Forecast, ForecastError, ForecastServices> {
  return Effect.gen(function* () {
    const { info } = yield* Backend
    const free = info.name === "wasm" ? (yield* freeMemory) ?? Infinity : Infinity
    const found = yield* planned(run)
    const problem = problemOf(found, free)
    if (problem === undefined) return found
    const message = `${problem} ${memoryLine(found)}. ${yield* whatFits(
      run,
      (other) => problemOf(other, free) === undefined,
    )}`
    return yield* new BackendError({ reason: "OutOfMemory", message })
  })
}

/** A smaller run, and how it is asked for. */
interface Smaller {
  readonly name: string
  readonly run: Planned
}

/** What would fit: each change that is enough alone, or all of them. */
function whatFits(
  run: Planned,
  fits: (forecast: Forecast) => boolean,
): Effect.Effect<string, ForecastError, ForecastServices> {
  return Effect.gen(function* () {
    const enough: Array<string> = []
    let all: Smaller = { name: "", run }
    for (const smaller of WAYS) {
      const tried = smaller(run)
      for (const { name, run } of tried) {
        const found = yield* planned(run)
        if (!fits(found)) continue
        enough.push(`${name} (${show(found.totalBytes)})`)
        break
      }
      const most = smaller(all.run).at(-1)
      if (most !== undefined) all = { name: [all.name, most.name].filter(Boolean).join(", "), run: most.run }
    }
    if (enough.length > 0) return `What would fit: ${enough.join("; or ")}.`
    const least = yield* planned(all.run)
    if (fits(least)) return `What would fit: ${all.name}, all together (${show(least.totalBytes)}).`
    return `Even with ${all.name} it needs ${show(least.totalBytes)}: take a smaller model, or one in fewer bits.`
  })
}

/** Ways to a smaller run, each from the mildest change on. */
const WAYS: ReadonlyArray<(run: Planned) => ReadonlyArray<Smaller>> = [
  (run) => {
    const { batchSize = 8, gradientAccumulationSteps: before = 1 } = run.options
    const sizes = Array.from(
      { length: Math.floor(Math.log2(batchSize)) },
      (_, i) => Math.floor(batchSize / 2 ** (i + 1)),
    )
    return sizes.map((size) => {
      const gradientAccumulationSteps = Math.ceil(before * batchSize / size)
      return {
        name: `training.batchSize ${size} with gradientAccumulationSteps ${gradientAccumulationSteps}`,
        run: { ...run, options: { ...run.options, batchSize: size, gradientAccumulationSteps } },
      }
    })
  },
  (run) =>
    run.options.gradientCheckpointing ? [] : [{
      name: "training.gradientCheckpointing",
      run: { ...run, options: { ...run.options, gradientCheckpointing: true } },
    }],
  (run) => {
    const { maxLength = 0 } = run.options
    return [2, 4].map((part) => Math.floor(maxLength / part)).filter((length) => length >= 16).map((length) => ({
      name: `training.maxLength ${length}`,
      run: { ...run, options: { ...run.options, maxLength: length } },
    }))
  },
  (run) =>
    run.loading.weights === "stored" || run.loading.weights === "f32"
      ? [{ name: 'model.weights "bf16"', run: { ...run, loading: { ...run.loading, weights: "bf16" } } }]
      : [],
]
