import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { StorageError } from "../../formats/files/storage_error.ts"
import type { JsonError } from "../../formats/json/json_error.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import type { SoupOptions } from "./average_checkpoints.ts"
import type { SoupReport } from "./average_tensors.ts"
import type { SoupError } from "./soup_error.ts"

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
