/**
 * Formats of weight files: which one a directory holds, or a file is in, is found by looking at it.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { GgufError } from "../formats/gguf/gguf_error.ts"
import type { JsonError } from "../formats/json/json_error.ts"
import { pathExists } from "../formats/files/path_exists.ts"
import type { SafetensorsError } from "../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../formats/files/storage_error.ts"
import type { GgufDialects } from "./gguf/gguf_dialect.ts"
import type { StoredTensor } from "./stored_tensor.ts"

/** What a family says of formats. */
export interface FormatFamily {
  /** Its models in GGUF files, by `general.architecture`. Default: none. */
  readonly gguf?: GgufDialects
}

/** A format of weight files. */
export interface CheckpointFormat {
  /** Its name, once in a program. */
  readonly name: string
  /** Whether a directory holds weights in this format, or a file is in it. */
  readonly detect: (path: string) => Effect.Effect<boolean, StorageError, FileSystem.FileSystem>
  /** The tensors by the names that a model's weight map takes. Reads names and shapes; numbers are read when they are needed. */
  readonly open: (
    path: string,
    families: ReadonlyArray<FormatFamily>,
  ) => Effect.Effect<ReadonlyMap<string, StoredTensor>, FormatError, FileSystem.FileSystem>
  /** The content of a `config.json`, where the weights' own files say it. Default: the directory holds that file. */
  readonly config?: (
    path: string,
    families: ReadonlyArray<FormatFamily>,
  ) => Effect.Effect<Readonly<Record<string, unknown>>, FormatError, FileSystem.FileSystem>
}

/** What can be wrong with weight files. */
export type FormatError = SafetensorsError | GgufError | StorageError | JsonError

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
