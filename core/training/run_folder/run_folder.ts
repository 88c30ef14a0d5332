/**
 * The folder of one run:
 *
 * ```text
 * config.json     the configuration; its presence marks a run
 * events.jsonl    one TrainEvent a line
 * checkpoints/    for resuming
 * summary.json    the results, for programs
 * report.html     the results, for people
 * trace.json      times of a step, for chrome://tracing or Perfetto; if asked for
 * ```
 *
 * Results such as an adapter are in the same folder. All files but the event log are written completely or not at all.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../formats/files/file_system.ts"
import type * as Scope from "effect/Scope"
import type { TrainEvent } from "../../contracts/train_event.ts"
import type { JsonError } from "../../formats/json/json_error.ts"
import { readJson } from "../../formats/json/json_file.ts"
import { writeJson } from "../../formats/json/write_json.ts"
import { type StorageError, toStorageError } from "../../formats/files/storage_error.ts"
import { removeLeftovers, writeFileWhole } from "../../formats/files/whole_file.ts"
import { type EventLog, openEventLog, readEvents } from "./event_log.ts"
import type { ChromeTrace } from "../../report/profile.ts"
import { RunFolderError } from "./run_folder_error.ts"

/** Arguments of {@link openRunFolder}. */
export interface RunFolderOptions {
  /** Path of the folder. */
  readonly path: string
  /** Settings that decide the outcome, as JSON. A resumed run must have the same. */
  readonly config: Readonly<Record<string, unknown>>
  /** True resumes the run in the folder. */
  readonly resume: boolean
}

/** The folder of one run. */
export interface RunFolder {
  /** Path of the folder. */
  readonly path: string
  /** Path of the checkpoints. */
  readonly checkpoints: string
  /** Opens `events.jsonl` and removes events after the checkpoint of `step` (all of them with 0). */
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
  // A process that was killed while it wrote config.json leaves only this file.
  const others = names.filter((name) => !/^config\.json\.tmp-[0-9a-f]{8}$/.test(name))
  if (others.length === 0) return Effect.void
  return refuse("NotEmpty", `"${path}" is not empty (it holds "${others[0]}"): name a new or an empty folder`)
}

/**
 * Opens the folder of a run. A new run needs a new or empty folder, a resumed one the same configuration. A failure writes
 * nothing.
 */
export function openRunFolder(
  { path, config, resume }: RunFolderOptions,
): Effect.Effect<RunFolder, RunFolderError | StorageError | JsonError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
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
    const own = Effect.provideService(fileSystem, fs)
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
