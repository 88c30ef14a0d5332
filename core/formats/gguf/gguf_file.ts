/**
 * GGUF files: where one lies, its header, and bytes of its tensors.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { bytesFor } from "../../../kernels/encoding.ts"
import { attempt } from "../../contracts/attempt.ts"
import { fileSystem } from "../files/file_system.ts"
import type { PieceMemory } from "../files/piece_memory.ts"
import { openToRead } from "../files/open_to_read.ts"
import { readFully } from "../files/read_fully.ts"
import { type StorageError, toStorageError } from "../files/storage_error.ts"
import { NeedsMore } from "./byte_cursor.ts"
import { GgufError } from "./gguf_error.ts"
import { type GgufHeader, type GgufTensor, parseGguf } from "./gguf_header.ts"

/** A file that is there to be read. */
export interface GgufFile extends GgufHeader {
  readonly path: string
}

/** Bytes of a file that are read first; the header may be longer. */
const FIRST = 2 ** 20

/** Opens a file: checks all of its header, reads no tensor. */
export function openGguf(path: string): Effect.Effect<GgufFile, GgufError | StorageError, FileSystem.FileSystem> {
  return Effect.scoped(Effect.gen(function* () {
    const { file, size } = yield* openToRead(path)
    for (let length = Math.min(FIRST, size);; length = Math.min(4 * length, size)) {
      const bytes = new Uint8Array(length)
      const got = yield* readFully(file, bytes, 0, path)
      // A file that shrank meanwhile has what was got.
      const whole = got < length ? got : size
      const header = yield* attempt(() => headerIn(bytes.subarray(0, got), whole, path), GgufError)
      if (header !== undefined) return { path, ...header }
    }
  }))
}

/** The header; undefined where the bytes end within it. */
function headerIn(bytes: Uint8Array, fileSize: number, path: string): GgufHeader | undefined {
  try {
    return parseGguf(bytes, fileSize, path)
  } catch (error) {
    if (error instanceof NeedsMore) return undefined
    throw error
  }
}

/** Bytes of `count` rows of a tensor from row `first` on, in `memory` or, without it, their own; a row lies along the last axis. */
export function readRows(
  path: string,
  { name, shape, type, byteOffset }: GgufTensor,
  first: number,
  count: number,
  memory?: PieceMemory,
): Effect.Effect<Uint8Array<ArrayBuffer>, GgufError | StorageError, FileSystem.FileSystem> {
  return Effect.scoped(Effect.gen(function* () {
    const fs = yield* fileSystem
    const file = yield* fs.open(path, { flag: "r" }).pipe(Effect.mapError(toStorageError(path, "read")))
    const row = bytesFor(type.encoding!, shape.at(-1) ?? 1), length = count * row
    const bytes = memory === undefined ? new Uint8Array(length) : new Uint8Array(memory(length), 0, length)
    const got = yield* readFully(file, bytes, byteOffset + first * row, path)
    if (got === bytes.length) return bytes
    const message = `"${path}" ended within tensor ${JSON.stringify(name)}: has the file changed since it was opened?`
    return yield* new GgufError({ reason: "Truncated", file: path, message })
  }))
}

/**
 * The GGUF file that a path means: itself, or the one in a directory that holds no other; undefined where there is none.
 * Fails where a directory holds several.
 */
export function ggufAt(path: string): Effect.Effect<string | undefined, GgufError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const names = yield* ggufNames(path)
    if (names.length < 2) return names[0]
    const listed = names.map((name) => JSON.stringify(name.slice(path.length + 1))).join(", ")
    const message = `"${path}" holds ${names.length} GGUF files, ${listed}: give the path of one of them`
    return yield* new GgufError({ reason: "Unexpected", file: path, message })
  })
}

/** Whether a path is a GGUF file, or a directory with one or several. */
export function holdsGguf(path: string): Effect.Effect<boolean, never, FileSystem.FileSystem> {
  return Effect.map(ggufNames(path), (names) => names.length > 0)
}

/** Paths of GGUF files; what cannot be looked at holds none. */
function ggufNames(path: string): Effect.Effect<ReadonlyArray<string>, never, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const { type } = yield* fs.stat(path)
    if (type === "File") return (yield* beginsAsGguf(path)) ? [path] : []
    const names = yield* fs.readDirectory(path)
    return names.filter((name) => name.endsWith(".gguf")).sort().map((name) => `${path}/${name}`)
  }).pipe(Effect.orElseSucceed(() => []))
}

/** A file is told by its first bytes, or by its name, so that one that is damaged is an error of the format. */
function beginsAsGguf(path: string): Effect.Effect<boolean, StorageError, FileSystem.FileSystem> {
  if (path.endsWith(".gguf")) return Effect.succeed(true)
  return Effect.scoped(Effect.gen(function* () {
    const fs = yield* fileSystem
    const file = yield* fs.open(path, { flag: "r" }).pipe(Effect.mapError(toStorageError(path, "read")))
    const bytes = new Uint8Array(4)
    yield* readFully(file, bytes, 0, path)
    return String.fromCharCode(...bytes) === "GGUF"
  }))
}
