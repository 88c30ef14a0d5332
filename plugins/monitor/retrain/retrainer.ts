/**
 * The retrain as a state machine over an append-only log. What an event announces is done after it is on the disk, and the
 * state is what the events say, so a process that is killed at any moment goes on from there.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { attempt } from "../../../core/contracts/attempt.ts"
import { fileSystem } from "../../../core/formats/files/file_system.ts"
import { pathExists } from "../../../core/formats/files/path_exists.ts"
import { type StorageError, toStorageError } from "../../../core/formats/files/storage_error.ts"
import { faultsOf, withDefaults } from "../../../core/options/mod.ts"
import { MonitorError, refuse } from "../monitor_error.ts"
import type { WindowReport } from "../watch/monitor.ts"
import type { Happened, MonitorEvent } from "./events.ts"
import { openJournal } from "./journal.ts"
import type { JudgedRow } from "./judged_rows.ts"
import { type Log, openLog } from "./log.ts"
import { RETRAIN_OPTIONS, type RetrainOptions, type SwapTarget } from "./options.ts"
import { filesOf } from "./run_files.ts"
import type { State } from "./state.ts"
import { install, stepOf } from "./steps.ts"

/** What goes wrong with a retrainer itself; a run that fails is an event. */
export type RetrainError = MonitorError | StorageError

/** Collects judged rows, and retrains when it is asked to. */
export interface Retrainer {
  /** What serves, and where a retrain is. */
  readonly state: () => State
  /** The log, oldest first. */
  readonly events: ReadonlyArray<MonitorEvent>
  /** The judged rows, oldest first. */
  readonly rows: ReadonlyArray<JudgedRow>
  /** Keeps judged rows, all or none; they are on the disk when it ends. */
  readonly collect: (rows: ReadonlyArray<JudgedRow>) => Effect.Effect<void, RetrainError>
  /** Logs windows; one with an alarm asks for a retrain, unless one is under way or asked for. */
  readonly report: (reports: ReadonlyArray<WindowReport>) => Effect.Effect<void, RetrainError>
  /** Asks for a retrain. */
  readonly ask: (why: string) => Effect.Effect<void, RetrainError>
  /**
   * Does all that can be done now: trains, evaluates, swaps, decides; gives the state in which rows or a question are waited
   * for. Call it after these. While one call works, others wait.
   */
  readonly advance: Effect.Effect<State, RetrainError>
}

/**
 * Opens a folder of retrains: lets the adapter serve that served last, and goes on where the last process was. A run that was
 * under way starts again, in a folder of its own. One process at a time may have the folder open.
 *
 * Fails with {@link MonitorError}: `Options` before any work, `Log` where the log is damaged, `Retrain` where the target
 * does not take the adapter; with {@link StorageError} where the disk is full.
 */
export function retrainer(
  options: RetrainOptions,
): Effect.Effect<Retrainer, RetrainError, FileSystem.FileSystem | Scope.Scope> {
  return Effect.gen(function* () {
    yield* attempt(() => refuse(faultsOf(RETRAIN_OPTIONS, options)), MonitorError)
    const settings = withDefaults(RETRAIN_OPTIONS, options)
    const { folder, first, target } = settings
    const fs = yield* fileSystem
    yield* fs.makeDirectory(folder, { recursive: true }).pipe(Effect.mapError(toStorageError(folder, "write")))
    const log = yield* openLog(`${folder}/events.jsonl`, first)
    const judged = yield* openJournal<JudgedRow>(`${folder}/judged.jsonl`)
    yield* serveLast(target, log.state())
    yield* startAgain(folder, log)
    const working = yield* Semaphore.make(1)
    const advance: Effect.Effect<State, RetrainError, FileSystem.FileSystem> = Effect.gen(function* () {
      while (true) {
        const event = yield* stepOf({ settings, state: log.state(), rows: judged.entries })
        if (event === undefined) return log.state()
        yield* log.happen(() => [event])
      }
    })
    return {
      state: log.state,
      events: log.events,
      rows: judged.entries,
      collect: (rows) =>
        Effect.andThen(attempt(() => checkRows(rows, settings.labels), MonitorError), judged.append(rows)),
      report: (reports) => log.happen((state) => reportedBy(reports, state)),
      ask: (why) => log.happen(() => [{ type: "asked", why }]),
      advance: Effect.provideService(working.withPermit(advance), fileSystem, fs),
    }
  })
}

/** Lets the adapter serve that served last. */
function serveLast(target: SwapTarget, { serving }: State): Effect.Effect<void, MonitorError, FileSystem.FileSystem> {
  return Effect.mapError(install(target, serving), (cause) => {
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = `the adapter "${serving.name}" in "${serving.folder}" cannot serve: ${why}`
    return new MonitorError({ reason: "Retrain", message, cause })
  })
}

/** A run that ended with the last process starts again, in a folder of its own: that process may have left it running. */
function startAgain(
  folder: string,
  { state, events, happen }: Log,
): Effect.Effect<void, RetrainError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { phase, rows } = state()
    if (phase.name !== "training" || (yield* pathExists(filesOf(phase.run).adapter))) return
    const { id } = phase
    const tries = events.filter((event) => event.type === "started" && event.id === id).length
    yield* happen(() => [{ type: "started", id, rows, run: `${folder}/runs/${id}.${tries + 1}` }])
  })
}

/** Windows as events, and the question for a retrain where one has an alarm. */
function reportedBy(reports: ReadonlyArray<WindowReport>, { phase, asked }: State): ReadonlyArray<Happened> {
  const events = reports.map((report): Happened => ({ type: "window", report }))
  const alarming = reports.find(({ alarms }) => alarms.length > 0)
  if (alarming === undefined || phase.name !== "idle" || asked !== undefined) return events
  const why = `${alarming.kind} window ${alarming.window}: ${alarming.alarms.join(", ")}`
  return [...events, { type: "asked", why }]
}

/** Throws where a row is none that can be trained on. */
function checkRows(rows: ReadonlyArray<JudgedRow>, labels: ReadonlyArray<string>): void {
  rows.forEach(({ text, label, predicted, by }, i) => {
    const faults = [
      ...typeof text === "string" && text.trim() !== "" ? [] : ["text must be a text that is not empty"],
      ...labels.includes(label) ? [] : [`label must be one of ${labels.join(", ")}, got ${JSON.stringify(label)}`],
      ...typeof predicted === "string" ? [] : ["predicted must be a text"],
      ...typeof by === "string" ? [] : ["by must be the name of an adapter"],
    ]
    if (faults.length === 0) return
    throw new MonitorError({ reason: "Rows", message: `judged row ${i + 1}: ${faults.join("; ")}` })
  })
}
