/**
 * The events of a run as JSON Lines. Each line is written at once, so a killed process loses no event (an incomplete last
 * line is ignored); the log is synced to disk at checkpoints and at the end.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../formats/files/file_system.ts"
import type * as Scope from "effect/Scope"
import type { TrainEvent } from "../../contracts/train_event.ts"
import { pathExists } from "../../formats/files/path_exists.ts"
import { type StorageError, toStorageError } from "../../formats/files/storage_error.ts"

/** An event log that is open for appending. */
export interface EventLog {
  /** Appends an event. */
  readonly append: (event: TrainEvent) => Effect.Effect<void, StorageError>
}

/** Complete lines of a log, with the byte offset of each end. */
function parseLines(text: string): Array<{ readonly event: TrainEvent; readonly end: number }> {
  const encoder = new TextEncoder()
  const lines = text.split("\n")
  // The text after the last line end is empty or incomplete.
  lines.pop()
  const parsed = []
  let end = 0
  for (const line of lines) {
    end += encoder.encode(line).length + 1
    try {
      parsed.push({ event: JSON.parse(line), end })
    } catch {
      // A power failure may leave garbage at the end.
      break
    }
  }
  return parsed
}

/**
 * Bytes that a run resumed after `step` keeps: up to the event of that checkpoint, or, if the run was killed before that
 * event, up to the first later step.
 */
function lengthToKeep(text: string, step: number): number {
  if (step === 0) return 0
  let length = 0
  for (const { event, end } of parseLines(text)) {
    if ("step" in event && event.step > step) break
    length = end
    if (event.type === "checkpoint" && event.step === step) break
  }
  return length
}

function readText(path: string): Effect.Effect<string, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    if (!(yield* pathExists(path))) return ""
    return yield* fs.readFileString(path).pipe(Effect.mapError(toStorageError(path, "read")))
  })
}

/** All events of a log; none if there is no file. */
export function readEvents(
  path: string,
): Effect.Effect<ReadonlyArray<TrainEvent>, StorageError, FileSystem.FileSystem> {
  return Effect.map(readText(path), (text) => parseLines(text).map(({ event }) => event))
}

/**
 * Opens a log for appending, until the scope closes.
 * @param step Step of the checkpoint that the run resumes from; later events are removed. With 0, all are.
 */
export function openEventLog(
  path: string,
  step: number,
): Effect.Effect<EventLog, StorageError, FileSystem.FileSystem | Scope.Scope> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const failed = toStorageError(path, "write")
    const length = lengthToKeep(yield* readText(path), step)
    const file = yield* fs.open(path, { flag: "a" }).pipe(Effect.mapError(failed))
    yield* fs.truncate(path, length).pipe(Effect.mapError(failed))
    const encoder = new TextEncoder()
    return {
      append: (event) => {
        const write = file.writeAll(encoder.encode(`${JSON.stringify(event)}\n`))
        const lasting = event.type === "checkpoint" || event.type === "stop"
        return Effect.uninterruptible(lasting ? Effect.andThen(write, file.sync) : write).pipe(Effect.mapError(failed))
      },
    }
  })
}
