import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "./file_system.ts"
import { isAbsent, type StorageError, toStorageError } from "./storage_error.ts"

/**
 * Whether a file or directory is there. `FileSystem.exists` will not do: under Deno it asks for the user's id, and ends
 * the process, past every error handler, where `--allow-sys=uid` was not given.
 */
export function pathExists(path: string): Effect.Effect<boolean, StorageError, FileSystem.FileSystem> {
  return Effect.flatMap(fileSystem, (fs) =>
    fs.stat(path).pipe(
      Effect.as(true),
      Effect.catch((error) =>
        isAbsent(error) ? Effect.succeed(false) : Effect.fail(toStorageError(path, "read")(error))
      ),
    ))
}
