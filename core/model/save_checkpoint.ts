import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { SafetensorsError } from "../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../formats/files/storage_error.ts"
import type { FloatDType } from "../formats/safetensors/stored_dtype.ts"
import type { Model } from "./model.ts"
import type { ModelError } from "./model_error.ts"

/** Options of {@link saveCheckpoint}. */
export interface CheckpointOptions {
  /** Type of the numbers in the file. Default `"F32"`. */
  readonly dtype?: FloatDType
  /** Fields to put into `config.json`, such as `pad_token_id`. */
  readonly config?: Readonly<Record<string, unknown>>
}

/**
 * Writes a directory that transformers loads: weights under Hugging Face names (tied ones once), `config.json` and the
 * tokenizer's files; whole or not at all. Of a model of several tasks, transformers loads the trunk: heads lie in the same
 * file as `heads.<task>.<name>`, their labels in the config's `espalier_tasks`, for `Model.load` with `tasks`; a view of one
 * task is written as a model of that task. Fails with {@link ModelError} while a method's changes lie beside the weights.
 */
export function saveCheckpoint(
  model: Model,
  directory: string,
  options: CheckpointOptions = {},
): Effect.Effect<void, ModelError | SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.flatMap(
    Effect.promise(() => import("./save/write_checkpoint.ts")),
    ({ writeCheckpoint }) => writeCheckpoint(model, directory, options),
  )
}
