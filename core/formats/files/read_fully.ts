import * as Effect from "effect/Effect"
import type { File } from "effect/FileSystem"
import { type StorageError, toStorageError } from "./storage_error.ts"

/** Fills `bytes` from a place in the file on; gives how many there were. */
export function readFully(
  file: File,
  bytes: Uint8Array,
  position: number,
  path: string,
): Effect.Effect<number, StorageError> {
  return Effect.gen(function* () {
    let done = 0
    while (done < bytes.length) {
      // Not interruptible: a descriptor closed under a read in flight may already belong to another file.
      const read = file.read(bytes.subarray(done), { position: BigInt(position + done) })
      const got = yield* Effect.uninterruptible(read)
      if (got === 0) break
      done += got
    }
    return done
  }).pipe(Effect.mapError(toStorageError(path, "read")))
}
