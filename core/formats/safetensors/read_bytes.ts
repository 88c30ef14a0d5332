import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../files/file_system.ts"
import { readFully } from "../files/read_fully.ts"
import { type StorageError, toStorageError } from "../files/storage_error.ts"
import { SafetensorsError } from "./safetensors_error.ts"
import type { TensorEntry } from "./safetensors_header.ts"

/** Bytes of a tensor as the file has them, from byte `first` on. Default: all. */
export function readBytes(
  { file: path, name, byteOffset, byteLength }: TensorEntry,
  first = 0,
  count: number = byteLength - first,
): Effect.Effect<Uint8Array<ArrayBuffer>, SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.scoped(Effect.gen(function* () {
    const fs = yield* fileSystem
    const file = yield* fs.open(path, { flag: "r" }).pipe(Effect.mapError(toStorageError(path, "read")))
    const bytes = new Uint8Array(count)
    if ((yield* readFully(file, bytes, byteOffset + first, path)) === count) return bytes
    const message = `"${path}" ended within tensor ${JSON.stringify(name)}: has the file changed since it was opened?`
    return yield* new SafetensorsError({ reason: "Truncated", file: path, message })
  }))
}
