/**
 * Files and directories that appear whole or not at all: built beside their place under a temporary name, then renamed.
 *
 * Temporary names end in `.tmp-` and eight hexadecimal digits. A failure or an interruption removes them; what a killed
 * process leaves behind, {@link removeLeftovers} clears away.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "./file_system.ts"
import { pathExists } from "./path_exists.ts"
import { StorageError, toStorageError } from "./storage_error.ts"

const suffix = (): string => crypto.getRandomValues(new Uint32Array(1))[0].toString(16).padStart(8, "0")
const withoutSlash = (path: string): string => path.length > 1 ? path.replace(/\/+$/, "") : path

/** An open file being written from its start to its end. */
export interface WholeFileWriter {
  /** Appends bytes. They are on their way to the disk when this ends, so the array may be used again. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, StorageError>
}

/**
 * Writes a file piece by piece; it takes its place (over an older one, if any) only after `write` has succeeded and the
 * bytes are on the disk. On failure or interruption the older file stays as it was.
 *
 * @param mode Permissions, of which the umask is taken away. Default 0o666.
 * @param check Looks at the whole file, under a temporary name, before it takes its place. Default: nothing.
 */
export function writeFileWith<E, R, E2 = never, R2 = never>(
  path: string,
  write: (file: WholeFileWriter) => Effect.Effect<void, E, R>,
  mode = 0o666,
  check: (temporary: string) => Effect.Effect<void, E2, R2> = () => Effect.void,
): Effect.Effect<void, E | E2 | StorageError, R | R2 | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const temporary = `${path}.tmp-${suffix()}`
    const failed = toStorageError(path, "write")
    const fill = Effect.scoped(Effect.gen(function* () {
      const file = yield* fs.open(temporary, { flag: "wx", mode }).pipe(Effect.mapError(failed))
      // Not interruptible: a descriptor closed under a write in flight may already belong to another file.
      yield* write({ write: (bytes) => Effect.uninterruptible(file.writeAll(bytes)).pipe(Effect.mapError(failed)) })
      yield* file.sync.pipe(Effect.mapError(failed))
    }))
    yield* fill.pipe(
      Effect.andThen(check(temporary)),
      Effect.andThen(fs.rename(temporary, path).pipe(Effect.mapError(failed))),
      Effect.onExit((exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.ignore(fs.remove(temporary, { force: true }))
      ),
    )
  })
}

/** Writes text (as UTF-8) or bytes whole or not at all. */
export function writeFileWhole(
  path: string,
  data: string | Uint8Array,
  mode?: number,
): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data
  return writeFileWith(path, (file) => file.write(bytes), mode)
}

/**
 * Builds a directory whole or not at all, and the ones above it where they lack. `build` fills the temporary directory
 * that it is given; then that takes the place of `path`. A directory already there stays until the new one is ready, and
 * comes back if the exchange fails. One that holds what the new one lacks is an error, unless `discard` is true: nothing of
 * a person's is deleted.
 */
export function writeDirectoryWhole<E, R>(
  path: string,
  build: (temporary: string) => Effect.Effect<void, E, R>,
  discard = false,
): Effect.Effect<void, E | StorageError, R | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const target = withoutSlash(path)
    const unique = suffix()
    const temporary = `${target}.tmp-${unique}`
    const aside = `${target}.old-${unique}`
    const failed = toStorageError(target, "write")
    const rename = (from: string, to: string) => Effect.mapError(fs.rename(from, to), failed)
    const exchange = Effect.gen(function* () {
      if (!(yield* pathExists(target))) return yield* rename(temporary, target)
      if (!discard) yield* checkNothingLost(target, temporary)
      yield* rename(target, aside)
      yield* rename(temporary, target).pipe(Effect.onError(() => Effect.ignore(fs.rename(aside, target))))
      yield* Effect.ignore(fs.remove(aside, { recursive: true, force: true }))
    }).pipe(Effect.uninterruptible)
    yield* fs.makeDirectory(temporary, { recursive: true }).pipe(
      Effect.mapError(failed),
      Effect.andThen(build(temporary)),
      Effect.andThen(exchange),
      Effect.onExit((exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.ignore(fs.remove(temporary, { recursive: true, force: true }))
      ),
    )
  })
}

/** Fails where a directory holds what the one that replaces it lacks. */
function checkNothingLost(
  target: string,
  replacement: string,
): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const namesIn = (path: string) => Effect.mapError(fs.readDirectory(path), toStorageError(path, "read"))
    const kept = new Set(yield* namesIn(replacement))
    const lost = (yield* namesIn(target)).filter((name) => !kept.has(name))
    if (lost.length === 0) return
    const message = `"${target}" holds other files, which would be deleted (${lost.slice(0, 3).join(", ")}${
      lost.length > 3 ? ", ..." : ""
    }): name a folder of its own, or take them out`
    yield* new StorageError({ reason: "Exists", path: target, message })
  })
}

/**
 * Clears what killed writers left in a directory: half-built files and directories go; an old directory that was put
 * aside and never replaced comes back. Only for directories that nobody else is writing in.
 */
export function removeLeftovers(directory: string): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const failed = toStorageError(directory, "clean")
    for (const name of yield* fs.readDirectory(directory).pipe(Effect.mapError(failed))) {
      const left = /^(.+)\.(tmp|old)-[0-9a-f]{8}$/.exec(name)
      if (left === null) continue
      const target = `${directory}/${left[1]}`
      const path = `${directory}/${name}`
      const comesBack = left[2] === "old" && !(yield* pathExists(target))
      const settle = comesBack ? fs.rename(path, target) : fs.remove(path, { recursive: true, force: true })
      yield* Effect.mapError(settle, failed)
    }
  })
}
