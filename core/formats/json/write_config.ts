import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { StorageError } from "../files/storage_error.ts"
import { writeFileWhole } from "../files/whole_file.ts"

/** Lines of fields that transformers 5 wants as floats, with whole numbers. */
const WHOLE = /^(\s*"(?:\w*(?:softcapping|_eps|_epsilon)|initializer_(?:range|factor|cutoff_factor))": -?\d+)(,?)$/gm

/**
 * Writes the content of a `config.json`, whole or not at all. Whole numbers are written as floats where transformers 5
 * takes nothing else: JSON has one kind of number here, and it refuses `30` for `30.0`.
 */
export function writeConfig(
  path: string,
  config: Readonly<Record<string, unknown>>,
): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  return writeFileWhole(path, `${JSON.stringify(config, null, 2).replace(WHOLE, "$1.0$2")}\n`)
}
