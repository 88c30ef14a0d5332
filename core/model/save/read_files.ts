import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { ArtifactFiles } from "../../contracts/contribution.ts"
import { fileSystem } from "../../formats/files/file_system.ts"
import { type StorageError, toStorageError } from "../../formats/files/storage_error.ts"

/** The files in a directory and its folders, by their path within it. */
export function readFiles(
  directory: string,
): Effect.Effect<ArtifactFiles, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const files: Record<string, Uint8Array> = {}
    for (const name of (yield* fs.readDirectory(directory, { recursive: true })).sort()) {
      const path = `${directory}/${name}`
      if ((yield* fs.stat(path)).type === "File") files[name.replaceAll("\\", "/")] = yield* fs.readFile(path)
    }
    return files
  }).pipe(Effect.mapError(toStorageError(directory, "read")))
}
