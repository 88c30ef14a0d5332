import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { StorageError } from "../formats/files/storage_error.ts"
import type { JsonError } from "../formats/json/json_error.ts"
import type { SafetensorsError } from "../formats/safetensors/safetensors_error.ts"
import type { FloatDType } from "../formats/safetensors/stored_dtype.ts"
import type { SoupReport } from "./average_tensors.ts"
import type { SoupError } from "./soup_error.ts"

/** One of the models in a soup. */
export interface SoupIngredient {
  /** Directory of its checkpoint. */
  readonly path: string
  /** Its part of the average; may be negative. Default 1 / n. */
  readonly weight?: number
}

/** Options of {@link soup}. */
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

/**
 * The average of fine-tuned models of one start (a model soup, Wortsman et al. 2022), as a checkpoint that transformers
 * loads: one tensor in memory at a time, then compared with what it stands for. `config.json` and the tokenizer's files
 * are the first checkpoint's; configs that differ in more than bookkeeping, such as the order of labels, are an error.
 */
export function soup(options: SoupOptions): Effect.Effect<
  SoupReport,
  SoupError | SafetensorsError | StorageError | JsonError,
  FileSystem.FileSystem
> {
  return Effect.flatMap(
    Effect.promise(() => import("./average_checkpoints.ts")),
    ({ averageCheckpoints }) => averageCheckpoints(options),
  )
}
