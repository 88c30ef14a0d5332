import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../../core/formats/files/file_system.ts"
import { attempt } from "../../../core/contracts/attempt.ts"
import type { ArtifactFiles } from "../../../core/contracts/contribution.ts"
import { pathExists } from "../../../core/formats/files/path_exists.ts"
import { type StorageError, toStorageError } from "../../../core/formats/files/storage_error.ts"
import { adapterFile, CONFIG_FILE, PeftError } from "../../peft_names/mod.ts"
import { decodePromptConfig, type PeftPromptConfig, type PromptType } from "./prompt_config.ts"
import { ENCODER_FILE } from "./prompt_files.ts"
import { readAdapter } from "../lora/read_adapter.ts"

/** The files of a saved adapter of virtual tokens, by their path within `directory`, and its config. */
export function readPrompt<Type extends PromptType>(
  directory: string,
  name: string,
  types: ReadonlyArray<Type>,
): Effect.Effect<
  { readonly files: ArtifactFiles; readonly config: PeftPromptConfig<Type> },
  PeftError | StorageError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const files: Record<string, Uint8Array> = { ...yield* readAdapter(directory, name) }
    const encoder = adapterFile(name, ENCODER_FILE)
    if (yield* pathExists(`${directory}/${encoder}`)) {
      const failed = Effect.mapError(toStorageError(`${directory}/${encoder}`, "read"))
      files[encoder] = yield* fs.readFile(`${directory}/${encoder}`).pipe(failed)
    }
    const file = adapterFile(name, CONFIG_FILE)
    const text = new TextDecoder().decode(files[file])
    return { files, config: yield* attempt(() => decodePromptConfig(text, `${directory}/${file}`, types), PeftError) }
  })
}
