/**
 * The folder of one run:
 *
 * ```text
 * config.json     the configuration as it was given; its presence marks a run
 * events.jsonl    what happened, one TrainEvent a line
 * checkpoints/    from which the run can go on
 * summary.json    the results, for programs
 * report.html     the results, for people
 * trace.json      where the time of a step goes, for chrome://tracing or Perfetto; only when asked for
 * ```
 *
 * Beside these lies what the run makes, such as an adapter. All files but the event log appear whole or not at all.
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "../../formats/files/file_system.ts"
import type * as Scope from "effect/Scope"
import type { TrainEvent } from "../../contracts/train_event.ts"
import type { JsonError } from "../../formats/json/json_error.ts"
import { readJson, writeJson } from "../../formats/json/json_file.ts"
import { type StorageError, toStorageError } from "../../formats/files/storage_error.ts"
import { removeLeftovers, writeFileWhole } from "../../formats/files/whole_file.ts"
import { type EventLog, openEventLog, readEvents } from "./event_log.ts"
import type { ChromeTrace } from "../../report/profile.ts"
import { RunFolderError } from "./run_folder_error.ts"

/** Which folder, and for what. */
export interface RunFolderOptions {
  /** Where the folder lies or shall lie. */
  readonly path: string
  /** All that decides the outcome of the run, as JSON. A resumed run must have the same. */
  readonly config: Readonly<Record<string, unknown>>
  /** Whether to go on with the run that lies there. */
  readonly resume: boolean
}

/** The folder of one run. */
export interface RunFolder {
  /** Where it lies. */
  readonly path: string
  /** Where its checkpoints lie. */
  readonly checkpoints: string
  /** Opens `events.jsonl`; what was logged after the checkpoint of `step` is cut (all of it with 0). */
  readonly openLog: (step: number) => Effect.Effect<EventLog, StorageError, Scope.Scope>
  /** The events logged so far. */
  readonly events: Effect.Effect<ReadonlyArray<TrainEvent>, StorageError>
  /** Writes `summary.json`. */
  readonly writeSummary: (summary: Readonly<Record<string, unknown>>) => Effect.Effect<void, StorageError>
  /** Writes `report.html`. */
  readonly writeReport: (html: string) => Effect.Effect<void, StorageError>
  /** Writes `trace.json`. */
  readonly writeTrace: (trace: ChromeTrace) => Effect.Effect<void, StorageError>
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

/** Dotted names of the leaves in which two JSON values differ. */
function differences(a: unknown, b: unknown, path: string): Array<string> {
  if (!isRecord(a) || !isRecord(b) || Array.isArray(a) !== Array.isArray(b)) return Object.is(a, b) ? [] : [path]
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return names.flatMap((name) => differences(a[name], b[name], path === "" ? name : `${path}.${name}`))
}

function valueAt(root: unknown, field: string): string {
  const value = field.split(".").reduce((inner, name) => isRecord(inner) ? inner[name] : undefined, root)
  return value === undefined ? "nothing" : JSON.stringify(value)
}

function checkSameConfig(path: string, then: unknown, now: unknown): Effect.Effect<void, RunFolderError> {
  const fields = differences(then, now, "")
  if (fields.length === 0) return Effect.void
  const list = fields.map((field) => `${field} (was ${valueAt(then, field)}, is ${valueAt(now, field)})`).join(", ")
  const message =
    `cannot resume the run in "${path}": its configuration differs in ${list}. Resume with the same values, or ` +
    `start a new run in another folder`
  return Effect.fail(new RunFolderError({ reason: "ConfigDiffers", path, fields, message }))
}

function checkFree(
  path: string,
  names: ReadonlyArray<string>,
): Effect.Effect<void, RunFolderError> {
  const refuse = (reason: "HoldsRun" | "NotEmpty", message: string) =>
    Effect.fail(new RunFolderError({ reason, path, fields: [], message }))
  if (names.includes("config.json")) {
    return refuse("HoldsRun", `"${path}" holds another run: name another folder, remove it, or resume that run`)
  }
  // Killed while config.json was being written: nothing of a run is there yet.
  const others = names.filter((name) => !/^config\.json\.tmp-[0-9a-f]{8}$/.test(name))
  if (others.length === 0) return Effect.void
  return refuse("NotEmpty", `"${path}" is not empty (it holds "${others[0]}"): name a new or an empty folder`)
}

/**
 * Opens the folder of a run. A fresh run gets a new or empty folder; a resumed one must lie there and have the same
 * configuration. On failure nothing has been written.
 */
export function openRunFolder(
  { path, config, resume }: RunFolderOptions,
): Effect.Effect<RunFolder, RunFolderError | StorageError | JsonError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const configPath = `${path}/config.json`
    const checkpoints = `${path}/checkpoints`
    const eventsPath = `${path}/events.jsonl`
    const failed = toStorageError(path, "open")
    const names = yield* fs.readDirectory(path).pipe(
      Effect.catch((error) =>
        error.reason._tag === "NotFound" ? Effect.succeed<ReadonlyArray<string>>([]) : Effect.fail(failed(error))
      ),
    )
    if (!resume) {
      yield* checkFree(path, names)
      yield* fs.makeDirectory(path, { recursive: true }).pipe(Effect.mapError(failed))
      yield* writeJson(configPath, config)
    } else if (names.includes("config.json")) {
      yield* checkSameConfig(path, yield* readJson(configPath), JSON.parse(JSON.stringify(config)))
    } else {
      const message = `there is no run to resume in "${path}": it has no config.json. Check the path, or do not resume`
      yield* new RunFolderError({ reason: "NoRun", path, fields: [], message })
    }
    yield* fs.makeDirectory(checkpoints, { recursive: true }).pipe(Effect.mapError(failed))
    yield* removeLeftovers(path)
    yield* removeLeftovers(checkpoints)
    const own = Effect.provideService(FileSystem.FileSystem, fs)
    return {
      path,
      checkpoints,
      openLog: (step) => own(openEventLog(eventsPath, step)),
      events: own(readEvents(eventsPath)),
      writeSummary: (summary) => own(writeJson(`${path}/summary.json`, summary)),
      writeReport: (html) => own(writeFileWhole(`${path}/report.html`, html)),
      writeTrace: (trace) => own(writeFileWhole(`${path}/trace.json`, JSON.stringify(trace))),
    }
  })
}
