/**
 * Files of models and of their plugins, written and read.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { BackendError } from "../backend/backend_error.ts"
import type { PluginError } from "../contracts/plugin_error.ts"
import type { StorageError } from "../formats/files/storage_error.ts"
import type { SafetensorsError } from "../formats/safetensors/safetensors_error.ts"
import type { Model } from "./model.ts"
import type { ModelError } from "./model_error.ts"
import type { Families } from "./load/families.ts"
import type { GgufReport, SaveGgufError, SaveGgufOptions } from "./save/gguf/save_gguf.ts"
import type { CheckpointOptions } from "./save/write_checkpoint.ts"

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
    Effect.promise(() => import("./save/mod.ts")),
    ({ writeCheckpoint }) => writeCheckpoint(model, directory, options),
  )
}

/**
 * Writes the files of all plugins to a directory, whole or not at all. A directory that holds anything else is an error.
 * Where a file of that name is another plugin's already, a plugin's files are in a folder named after its method. Of a model
 * of several tasks there is a folder for each, named after it: trunk and head as those of a model of that task alone, which
 * the plugins' formats can hold.
 */
export function saveAdapters(
  model: Model,
  directory: string,
): Effect.Effect<void, PluginError | BackendError | StorageError, FileSystem.FileSystem> {
  return Effect.flatMap(
    Effect.promise(() => import("./save/mod.ts")),
    (saving) => saving.saveAdapters(model, directory),
  )
}

/**
 * Reads the files of all plugins from a directory into the model, of several tasks from a folder for each; nothing is
 * written unless everything fits.
 */
export function loadAdapters(
  model: Model,
  directory: string,
): Effect.Effect<void, PluginError | BackendError | StorageError, FileSystem.FileSystem> {
  return Effect.flatMap(
    Effect.promise(() => import("./save/mod.ts")),
    (saving) => saving.loadAdapters(model, directory),
  )
}

/**
 * Writes a causal language model as a GGUF file (version 3), for Ollama and others: weights under that format's
 * names and in its row orders, config and tokenizer as metadata, whole or not at all. Plugins that are on are merged: an
 * update that is one number a group goes into the offsets of affine blocks, all codes as they are; a weight with another update
 * is rounded to its type, and `accounts` say what that lost. The file is loaded and compared with the model on prompts before it
 * takes its place; beyond the tolerance it fails with an {@link ExportError} and an older file stays. Fails before anything is
 * written where the family has no names in GGUF, or the format cannot hold the tokenizer.
 */
export function saveGguf(
  model: Model,
  path: string,
  options: SaveGgufOptions = {},
): Effect.Effect<GgufReport, SaveGgufError, FileSystem.FileSystem | Families> {
  return Effect.flatMap(
    Effect.promise(() => import("./save/mod.ts")),
    (saving) => saving.saveGguf(model, path, options),
  )
}
