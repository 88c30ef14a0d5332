/**
 * Formats of weight files: which one a directory holds is found by looking at it.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { JsonError } from "../formats/json/json_error.ts"
import { pathExists } from "../formats/files/path_exists.ts"
import type { SafetensorsError } from "../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../formats/files/storage_error.ts"
import type { StoredTensor } from "./stored_tensor.ts"

/** A format of weight files. */
export interface CheckpointFormat {
  /** Its name, once in a program. */
  readonly name: string
  /** Whether a directory holds weights in this format. */
  readonly detect: (directory: string) => Effect.Effect<boolean, StorageError, FileSystem.FileSystem>
  /** The tensors by their names in the files. Reads names and shapes; numbers are read when they are needed. */
  readonly open: (
    directory: string,
  ) => Effect.Effect<
    ReadonlyMap<string, StoredTensor>,
    SafetensorsError | StorageError | JsonError,
    FileSystem.FileSystem
  >
}

/** `model.safetensors`, or the shards that `model.safetensors.index.json` names. */
export const safetensors: CheckpointFormat = {
  name: "safetensors",
  detect: (directory) =>
    Effect.map(
      Effect.forEach(
        ["model.safetensors", "model.safetensors.index.json"],
        (name) => pathExists(`${directory}/${name}`),
      ),
      (found) => found.includes(true),
    ),
  open: (directory) =>
    Effect.flatMap(Effect.promise(() => import("./stored_tensor.ts")), ({ openTensors }) => openTensors(directory)),
}

/** Opens weights in the first of these formats that a directory holds. */
export function openWeights(
  directory: string,
  formats: ReadonlyArray<CheckpointFormat>,
): ReturnType<CheckpointFormat["open"]> {
  return Effect.gen(function* () {
    for (const format of formats) {
      if (yield* format.detect(directory)) return yield* format.open(directory)
    }
    // Its error says what the directory holds instead.
    return yield* safetensors.open(directory)
  })
}
