/**
 * Writes to a device that is always full, and prints the reason of the failure. A program of its own, because Deno
 * opens devices only with all permissions.
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { toStorageError } from "../../../core/formats/files/storage_error.ts"
import { failure } from "./support.ts"

const write = Effect.scoped(Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const file = yield* fs.open("/dev/full", { flag: "w" })
  yield* file.writeAll(new Uint8Array(8))
})).pipe(Effect.mapError(toStorageError("/dev/full", "write")))

console.log((await failure(write)).reason)
