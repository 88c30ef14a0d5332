import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../files/file_system.ts"
import { pathExists } from "../files/path_exists.ts"
import { type StorageError, toStorageError } from "../files/storage_error.ts"

/** Files of a model's directory that belong to its tokenizer and prompts. */
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
]

/** Copies them from one directory to another, those that are there; gives how many. */
export function copyCompanions(from: string, to: string): Effect.Effect<number, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    let copied = 0
    for (const name of COMPANIONS) {
      const path = `${from}/${name}`
      if (!(yield* pathExists(path))) continue
      yield* fs.copyFile(path, `${to}/${name}`).pipe(Effect.mapError(toStorageError(path, "copy")))
      copied++
    }
    return copied
  })
}
