/**
 * The formats of weight files of the package: which one a directory holds, or a file is in, is found by looking at it.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { pathExists } from "../formats/files/path_exists.ts"
import type { StorageError } from "../formats/files/storage_error.ts"
import type { CheckpointFormat } from "./checkpoint_format.ts"

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
    Effect.flatMap(
      Effect.promise(() => import("./safetensors/open_tensors.ts")),
      ({ openTensors }) => openTensors(directory),
    ),
}

const ggufFormat = Effect.promise(() => import("./gguf/gguf_checkpoint.ts"))

/** A GGUF file, or a directory that holds one and no safetensors. */
export const gguf: CheckpointFormat = {
  name: "gguf",
  detect: (path) => Effect.flatMap(ggufFormat, ({ holdsGguf }) => holdsGguf(path)),
  open: (path, families) => Effect.flatMap(ggufFormat, ({ openTensors }) => openTensors(path, families)),
  config: (path, families) => Effect.flatMap(ggufFormat, ({ readConfig }) => readConfig(path, families)),
}

/** The first of these formats that a path holds; safetensors, whose errors say what it holds instead, where none does. */
export function formatOf(
  path: string,
  formats: ReadonlyArray<CheckpointFormat>,
): Effect.Effect<CheckpointFormat, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    for (const format of formats) if (yield* format.detect(path)) return format
    return safetensors
  })
}
