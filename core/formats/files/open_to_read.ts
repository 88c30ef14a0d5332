import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import { fileSystem } from "./file_system.ts"
import { StorageError, toStorageError } from "./storage_error.ts"

/** A file that is open, and its bytes. */
export interface OpenFile {
  readonly file: FileSystem.File
  readonly size: number
}

/** Opens a file to read it, until the scope closes; what is no file is an error. */
export function openToRead(
  path: string,
): Effect.Effect<OpenFile, StorageError, FileSystem.FileSystem | Scope.Scope> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const failed = toStorageError(path, "read")
    const info = yield* fs.stat(path).pipe(Effect.mapError(failed))
    // Opening a pipe would wait for a writer for ever.
    if (info.type !== "File") {
      return yield* new StorageError({ reason: "Other", path, message: `cannot read "${path}": it is not a file` })
    }
    return { file: yield* fs.open(path, { flag: "r" }).pipe(Effect.mapError(failed)), size: Number(info.size) }
  })
}
