import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../formats/files/file_system.ts"
import type { PlatformError } from "effect/PlatformError"
import { isAbsent, toldOf } from "../../formats/files/storage_error.ts"
import { DataError } from "../data_error.ts"

/** Bytes that a reader reads rows from. */
export interface Source {
  /** Path or name, for messages. */
  readonly name: string
  /** Number of bytes. */
  readonly size: Effect.Effect<number, DataError>
  /** All bytes. */
  readonly bytes: Effect.Effect<Uint8Array, DataError>
  /** `length` bytes from `start` on, fewer at the end of the source. */
  readonly part: (start: number, length: number) => Effect.Effect<Uint8Array, DataError>
}

/** A file as a source. */
export const fileSource = (path: string): Effect.Effect<Source, never, FileSystem.FileSystem> =>
  Effect.map(Effect.service(fileSystem), (files): Source => {
    const mapped = <A>(effect: Effect.Effect<A, PlatformError>) => Effect.mapError(effect, fileError(path))
    return {
      name: path,
      size: mapped(Effect.map(files.stat(path), ({ size }) => Number(size))),
      bytes: mapped(files.readFile(path)),
      part: (start, length) =>
        mapped(Effect.scoped(Effect.gen(function* () {
          const file = yield* files.open(path)
          const bytes = new Uint8Array(length)
          let filled = 0, got = -1
          while (filled < length && got !== 0) {
            got = yield* file.read(bytes.subarray(filled), { position: BigInt(start + filled) })
            filled += got
          }
          return bytes.subarray(0, filled)
        }))),
    }
  })

/** Reads a file's bytes; a failure of the file system becomes a {@link DataError} that names the path. */
export const readBytes = (path: string): Effect.Effect<Uint8Array, DataError, FileSystem.FileSystem> =>
  Effect.flatMap(fileSource(path), ({ bytes }) => bytes)

const fileError = (path: string) => (cause: PlatformError): DataError => {
  const absent = isAbsent(cause)
  const isFolder = cause.reason._tag === "BadResource"
  const message = absent
    ? `${path}: no such file`
    : `${path} cannot be read: ${isFolder ? "it is a folder, or no plain file" : toldOf(cause) ?? cause.message}`
  return new DataError({ reason: absent ? "NotFound" : "Unreadable", message, cause })
}

/** Text of UTF-8 bytes without a byte order mark. @throws DataError `Unreadable` for bytes that are not UTF-8. */
export const decodeUtf8 = (path: string, bytes: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new DataError({ reason: "Unreadable", message: `${path} is not UTF-8 text; save it as UTF-8`, cause })
  }
}
