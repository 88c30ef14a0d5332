import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../files/file_system.ts"
import { pathExists } from "../files/path_exists.ts"
import { type StorageError, toStorageError } from "../files/storage_error.ts"

/** What is computed of hidden states, as sentence-transformers writes it. */
const MODULES = "modules.json"

/** Files of a model's directory that belong to its tokenizer, its prompts and its embeddings. */
const COMPANIONS = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "tokenizer.model",
  "chat_template.jinja",
  "generation_config.json",
  MODULES,
  "config_sentence_transformers.json",
]

/** Folders of such modules: `1_Pooling`. */
const MODULE = /^\d+_\w+$/

/** Copies them from one directory to another, those that are there; gives how many. */
export function copyCompanions(from: string, to: string): Effect.Effect<number, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    let copied = 0
    const copy = (name: string) =>
      fs.copyFile(`${from}/${name}`, `${to}/${name}`).pipe(Effect.mapError(toStorageError(`${from}/${name}`, "copy")))
    for (const name of COMPANIONS) {
      if (!(yield* pathExists(`${from}/${name}`))) continue
      yield* copy(name)
      copied++
      if (name === MODULES) yield* Effect.forEach(yield* modulesIn(from, to), copy)
    }
    return copied
  })
}

/** Makes the folders of modules; gives their files. */
function modulesIn(
  from: string,
  to: string,
): Effect.Effect<ReadonlyArray<string>, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const folders = (yield* fs.readDirectory(from)).filter((name) => MODULE.test(name))
    const files = yield* Effect.forEach(folders, (folder) =>
      Effect.andThen(
        fs.makeDirectory(`${to}/${folder}`, { recursive: true }),
        Effect.map(fs.readDirectory(`${from}/${folder}`), (names) => names.map((name) => `${folder}/${name}`)),
      ))
    return files.flat()
  }).pipe(Effect.mapError(toStorageError(from, "copy")))
}
