import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { StorageError } from "../files/storage_error.ts"
import { writeFileWhole } from "../files/whole_file.ts"

/** Writes a value as indented JSON with a last line end, whole or not at all. */
export function writeJson(
  path: string,
  value: unknown,
  mode?: number,
): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  return writeFileWhole(path, `${JSON.stringify(value, null, 2)}\n`, mode)
}
