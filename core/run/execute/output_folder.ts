/**
 * The folder of a run before it begins.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../formats/files/file_system.ts"
import { type StorageError, toStorageError } from "../../formats/files/storage_error.ts"
import { RunFolderError } from "../../training/run_folder/run_folder_error.ts"

/** What becomes of a run that is in the folder. */
export interface OutputOptions {
  /** It goes on. */
  readonly resume: boolean
  /** It is replaced. */
  readonly overwrite: boolean
}

function holdsRun(folder: string): Effect.Effect<boolean, never, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const names = yield* fs.readDirectory(folder).pipe(Effect.orElseSucceed((): string[] => []))
    // A model's folder has a config.json too, but no log of events.
    return names.includes("config.json") && names.includes("events.jsonl")
  })
}

/** Fails if the folder holds a run that is neither resumed nor replaced. */
export function checkOutput(
  folder: string,
  { resume, overwrite }: OutputOptions,
): Effect.Effect<void, RunFolderError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    if (resume || overwrite || !(yield* holdsRun(folder))) return
    const message = `"${folder}" holds another run: name another output, or set overwrite or resume (--output, ` +
      "--overwrite and --resume of commands)"
    return yield* new RunFolderError({ reason: "HoldsRun", path: folder, fields: [], message })
  })
}

/** Removes a run that is replaced; a folder without a run is left alone. */
export function clearOutput(
  folder: string,
  { resume, overwrite }: OutputOptions,
): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    if (!overwrite || resume || !(yield* holdsRun(folder))) return
    const fs = yield* fileSystem
    yield* fs.remove(folder, { recursive: true }).pipe(Effect.mapError(toStorageError(folder, "remove")))
  })
}
