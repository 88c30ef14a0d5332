import * as Effect from "effect/Effect"
import * as FileSystem from "../../formats/files/file_system.ts"
import { DataError } from "../data_error.ts"

/** Reads a file's bytes; a failure of the file system becomes a {@link DataError} that names the path. */
export const readBytes = (path: string): Effect.Effect<Uint8Array, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    return yield* Effect.mapError(files.readFile(path), (cause) => {
      const absent = cause.reason._tag === "NotFound"
      const isFolder = cause.reason._tag === "BadResource"
      const message = absent
        ? `${path}: no such file`
        : `${path} cannot be read: ${isFolder ? "it is a folder, or no plain file" : cause.message}`
      return new DataError({ reason: absent ? "NotFound" : "Unreadable", message, cause })
    })
  })

/**
 * Text of UTF-8 bytes, a byte order mark taken off.
 *
 * @throws DataError `Unreadable` when the bytes are not UTF-8: reading on would train on replacement characters.
 */
export const decodeUtf8 = (path: string, bytes: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new DataError({ reason: "Unreadable", message: `${path} is not UTF-8 text; save it as UTF-8`, cause })
  }
}
