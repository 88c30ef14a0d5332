import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { pathExists } from "./path_exists.ts"
import { StorageError } from "./storage_error.ts"

/** Fails where something is there already. */
export function checkAbsent(path: string): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  return Effect.flatMap(pathExists(path), (exists) => {
    if (!exists) return Effect.void
    const message = `"${path}" is there already: name another file, or give force to write over it`
    return Effect.fail(new StorageError({ reason: "Exists", path, message }))
  })
}
