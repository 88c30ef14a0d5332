import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { fileSystem } from "../../../core/formats/files/file_system.ts"
import { pathExists } from "../../../core/formats/files/path_exists.ts"
import { type StorageError, toStorageError } from "../../../core/formats/files/storage_error.ts"
import { MonitorError } from "../monitor_error.ts"

/**
 * A file of JSON Lines that only grows. An entry is on the disk when `append` ends; a process that is killed, or a disk that
 * is full, leaves at most an incomplete last line, which the next append or opening removes.
 */
export interface Journal<Entry> {
  /** The entries, oldest first. */
  readonly entries: ReadonlyArray<Entry>
  /** Appends entries. Appends wait for each other. */
  readonly append: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, StorageError>
}

/**
 * Opens a journal until the scope closes. One process at a time may have it open. Fails with {@link MonitorError} `Log`
 * where a complete line is no JSON object: somebody else has written there.
 */
export function openJournal<Entry>(
  path: string,
): Effect.Effect<Journal<Entry>, StorageError | MonitorError, FileSystem.FileSystem | Scope.Scope> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const failed = toStorageError(path, "write")
    const text = (yield* pathExists(path))
      ? yield* fs.readFileString(path).pipe(Effect.mapError(toStorageError(path, "read")))
      : ""
    const complete = text.slice(0, text.lastIndexOf("\n") + 1)
    const entries = yield* parsed<Entry>(complete, path)
    const encoder = new TextEncoder()
    let length = encoder.encode(complete).length
    const file = yield* fs.open(path, { flag: "a" }).pipe(Effect.mapError(failed))
    const cut = Effect.suspend(() => fs.truncate(path, length)).pipe(Effect.mapError(failed))
    if (complete.length < text.length) yield* cut
    const one = yield* Semaphore.make(1)
    let torn = false
    const append = (more: ReadonlyArray<Entry>) =>
      Effect.gen(function* () {
        const bytes = encoder.encode(more.map((entry) => `${JSON.stringify(entry)}\n`).join(""))
        if (torn) yield* cut
        torn = true
        yield* file.writeAll(bytes).pipe(Effect.andThen(file.sync), Effect.mapError(failed))
        torn = false
        length += bytes.length
        for (const entry of more) entries.push(entry)
      }).pipe(Effect.uninterruptible, one.withPermit)
    return { entries, append }
  })
}

function parsed<Entry>(text: string, path: string): Effect.Effect<Array<Entry>, MonitorError> {
  return Effect.gen(function* () {
    const entries: Array<Entry> = []
    for (const [i, line] of text.split("\n").slice(0, -1).entries()) {
      const entry = yield* Effect.try({
        try: () => JSON.parse(line) as unknown,
        catch: (cause) => damaged(path, i, cause),
      })
      if (typeof entry !== "object" || entry === null) return yield* damaged(path, i)
      entries.push(entry as Entry)
    }
    return entries
  })
}

const damaged = (path: string, line: number, cause?: unknown): MonitorError =>
  new MonitorError({
    reason: "Log",
    message: `"${path}" is damaged at line ${line + 1}: move it away, or take that line out`,
    ...cause === undefined ? {} : { cause },
  })
