/**
 * The events of a run as JSON Lines. Each line is handed to the operating system at once, so a killed process loses none
 * that it has told of (its last line may be torn, and is then ignored); checkpoints and the end reach the disk.
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "../../formats/files/file_system.ts"
import type * as Scope from "effect/Scope"
import type { TrainEvent } from "../../contracts/train_event.ts"
import { pathExists } from "../../formats/files/path_exists.ts"
import { type StorageError, toStorageError } from "../../formats/files/storage_error.ts"

/** An event log that is open for appending. */
export interface EventLog {
  /** Writes one event after the others. */
  readonly append: (event: TrainEvent) => Effect.Effect<void, StorageError>
}

/** The whole lines of a log with the offset of each one's end, in bytes. */
function parseLines(text: string): Array<{ readonly event: TrainEvent; readonly end: number }> {
  const encoder = new TextEncoder()
  const lines = text.split("\n")
  // What follows the last line end is nothing, or torn.
  lines.pop()
  const parsed = []
  let end = 0
  for (const line of lines) {
    end += encoder.encode(line).length + 1
    try {
      parsed.push({ event: JSON.parse(line), end })
    } catch {
      // A machine that lost power may leave rubbish at the end.
      break
    }
  }
  return parsed
}

/**
 * Length of what a run that goes on from the checkpoint of `step` keeps: all up to the mark of that checkpoint, or, if
 * the run was killed before it could be marked, up to the first later step.
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
    const fs = yield* FileSystem.FileSystem
    if (!(yield* pathExists(path))) return ""
    return yield* fs.readFileString(path).pipe(Effect.mapError(toStorageError(path, "read")))
  })
}

/** All events in a log; none when there is no such file. */
export function readEvents(
  path: string,
): Effect.Effect<ReadonlyArray<TrainEvent>, StorageError, FileSystem.FileSystem> {
  return Effect.map(readText(path), (text) => parseLines(text).map(({ event }) => event))
}

/**
 * Opens a log for appending, until the scope closes.
 * @param step Step of the checkpoint that the run goes on from: what was logged after it is cut. With 0, all is.
 */
export function openEventLog(
  path: string,
  step: number,
): Effect.Effect<EventLog, StorageError, FileSystem.FileSystem | Scope.Scope> {
  return Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
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
