import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { writeDirectoryWhole } from "../../formats/files/whole_file.ts"
import type { JsonError } from "../../formats/json/json_error.ts"
import { writeConfig } from "../../formats/json/write_config.ts"
import { readConfig } from "../../formats/json/model_config.ts"
import { openModel } from "../../formats/safetensors/checkpoint.ts"
import { copyCompanions } from "../../formats/safetensors/companions.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import { type FloatDType, TORCH_NAMES } from "../../formats/safetensors/stored_dtype.ts"
import {
  type AveragedTensor,
  averageTensors,
  checkOutput,
  partsOf,
  reportOf,
  type SoupReport,
} from "./average_tensors.ts"
import { SoupError } from "./soup_error.ts"

/** One of the models in a soup. */
export interface SoupIngredient {
  /** Directory of its checkpoint. */
  readonly path: string
  /** Its part of the average; may be negative. Default 1 / n. */
  readonly weight?: number
}

/** Options of `soup`. */
export interface SoupOptions {
  /** Checkpoints of one architecture, with weights that sum to 1. */
  readonly checkpoints: ReadonlyArray<SoupIngredient>
  /** Directory for the result. What was there is replaced. */
  readonly output: string
  /** Type of the numbers in the file. Default: of each tensor that of the first checkpoint. */
  readonly dtype?: FloatDType
  /**
   * How far a stored tensor may be from the average, relative to its norm. Default: what rounding to its type explains,
   * 1e-5 for F32, 1e-3 for F16, 1e-2 for BF16.
   */
  readonly tolerance?: number
}

/** Fields of a config that say nothing of what the weights mean. */
const BOOKKEEPING = /^(_name_or_path|torch_dtype|dtype|transformers_version|use_cache|label2id|.*dropout.*)$/

/** The average of models, written as a checkpoint. */
export function averageCheckpoints({ checkpoints, output, dtype, tolerance }: SoupOptions): Effect.Effect<
  SoupReport,
  SoupError | SafetensorsError | StorageError | JsonError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const parts = yield* partsOf(checkpoints.map(({ weight }) => weight))
    yield* checkOutput(output, "checkpoints", checkpoints.map(({ path }) => path))
    const configs = yield* Effect.forEach(checkpoints, ({ path }) => readConfig(`${path}/config.json`))
    for (const { file, record } of configs.slice(1)) {
      const names = differing(configs[0].record, record)
      if (names.length === 0) continue
      const shown = names.map((name) =>
        `${name} is ${JSON.stringify(record[name])}, not ${JSON.stringify(configs[0].record[name])}`
      )
      const message = `"${file}" differs from "${configs[0].file}": ${shown.join("; ")}: not the same model`
      return yield* new SoupError({ reason: "Mismatch", message })
    }
    const opened = yield* Effect.forEach(checkpoints, ({ path }) => openModel(path))
    const sources = opened.map(({ path, tensors }, i) => ({ path, tensors, weight: parts[i] }))
    let tensors: ReadonlyArray<AveragedTensor> = []
    yield* writeDirectoryWhole(output, (temporary) =>
      Effect.gen(function* () {
        tensors = yield* averageTensors(sources, `${temporary}/model.safetensors`, {
          ...(dtype === undefined ? {} : { dtype }),
          ...(tolerance === undefined ? {} : { tolerance }),
        })
        const { dtype: _, ...rest } = configs[0].record
        const config = dtype === undefined ? configs[0].record : { ...rest, torch_dtype: TORCH_NAMES[dtype] }
        yield* writeConfig(`${temporary}/config.json`, config, configs[0].file)
        yield* copyCompanions(checkpoints[0].path, temporary)
      }))
    return reportOf(tensors)
  })
}

function differing(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): ReadonlyArray<string> {
  const text = (value: unknown) => JSON.stringify(value ?? null)
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) =>
    !BOOKKEEPING.test(name) && text(a[name]) !== text(b[name])
  )
}
