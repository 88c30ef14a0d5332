/**
 * The tasks of a run with their rows.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Data, StreamedData } from "../../data/data.ts"
import type { DataError } from "../../data/data_error.ts"
import { split, type Splits } from "../../data/split/split.ts"
import { splitStream } from "../../data/split/split_stream.ts"
import type { JsonError } from "../../formats/json/json_error.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { headLabels } from "../../model/head_labels.ts"
import type { ModelError } from "../../model/model_error.ts"
import type { Task } from "../../tasks/builtin.ts"
import { file, stream } from "../../tasks/dataset/dataset.ts"
import { taskOf } from "../columns.ts"
import type { ResolvedData, ResolvedRun } from "../resolve_run.ts"
import type { Tell } from "./tell.ts"

/** What can go wrong while rows are read. */
export type ReadError = DataError | JsonError | StorageError | ModelError

/** The rows of a task in three parts; those to train on may be read while the model trains. */
export interface Divided {
  /** Rows to train on. */
  readonly train: Data | StreamedData
  /** Rows for early stopping. */
  readonly validation: Data
  /** Rows for the final evaluation. */
  readonly test: Data
  /** Number of rows to train on; of a stream it may be unknown. */
  readonly size: number | undefined
  /** Rows left out, and texts with several answers; of a stream they are not known. */
  readonly found?: Splits<Data>
}

/** A task of a run with its rows; a run of one task has one without a name. */
export interface TaskPart {
  /** Its name. */
  readonly name?: string
  /** Where its rows come from. */
  readonly from: ResolvedData
  /** Its rows, divided. */
  readonly data: Divided
  /** The task. */
  readonly task: Task
  /** The rows that the model is judged by. */
  readonly judging: Data
  /** What they are. */
  readonly judges: "test" | "validation" | "training"
}

/** What figures do not say that come from the rows of a split. */
const CAVEATS: Readonly<Record<string, string>> = {
  validation: "these rows also choose the weights",
  training: "no rows are held out, so the figures say nothing about new rows",
}

/** Reads the data; its labels come in the given order, or in that of the model's head. */
function read(
  { path, columns, reading }: ResolvedData,
  { path: model, head }: ResolvedRun["model"],
  tell: Tell,
): Effect.Effect<Data, ReadError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const found: Data = yield* file(path, columns, reading)
    if (reading.labels !== undefined || head === "new" || found.kind.classes === undefined) return found
    const own = yield* headLabels(model, found.labels)
    if (own === undefined || `${own}` === `${found.labels}`) return found
    yield* tell(`data: labels in the order of the model's head: ${own.join(", ")}`)
    return yield* file(path, columns, { ...reading, labels: own })
  })
}

function readSplit(
  { model, seed }: ResolvedRun,
  from: ResolvedData,
  tell: Tell,
): Effect.Effect<Divided, ReadError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { path, columns, reading, window, validation, test } = from
    const shares = { validation, test, seed }
    if (window === undefined) {
      const found = yield* read(from, model, tell).pipe(split(shares))
      const { train, validation, test } = found
      return { train, validation, test, size: train.rows.length, found }
    }
    const { train, ...judging } = yield* stream(path, columns, { ...reading, window }).pipe(splitStream(shares))
    return { train, ...judging, size: train.count }
  })
}

/** Reads and divides the rows of a task. */
function partOf(
  run: ResolvedRun,
  from: ResolvedData,
  tell: Tell,
  name?: string,
): Effect.Effect<TaskPart, ReadError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const data = yield* readSplit(run, from, tell)
    const { size, found, validation, test } = data
    const whose = name === undefined ? "" : `${name}: `
    yield* tell(
      `data: ${whose}${from.path}, ${size} rows for training, ${validation.rows.length} for validation, ` +
        `${test.rows.length} for the test; ` +
        (found === undefined ? "read while the model trains" : `${found.removedDuplicates} duplicates removed`) +
        (found === undefined || found.conflicts.length === 0 ? "" : `, ${found.conflicts.length} with several labels`),
    )
    const splits: ReadonlyArray<readonly [TaskPart["judges"], Data]> = [
      ["test", test],
      ["validation", validation],
      ...found === undefined ? [] : [["training", found.train] as const],
    ]
    const [judges, judging] = splits.find(([, { rows }]) => rows.length > 0)!
    const caveat = CAVEATS[judges]
    if (caveat !== undefined) yield* tell(`${whose}the model is judged by ${judges} rows; ${caveat}`, "warning")
    return { ...name === undefined ? {} : { name }, from, data, task: taskOf(data.train, from.task), judging, judges }
  })
}

/** Reads and divides the rows of all tasks of a run. */
export function readParts(
  run: ResolvedRun,
  tell: Tell,
): Effect.Effect<ReadonlyArray<TaskPart>, ReadError, FileSystem.FileSystem> {
  return "one" in run.data
    ? Effect.map(partOf(run, run.data.one, tell), (part) => [part])
    : Effect.forEach(Object.entries(run.data.several), ([name, from]) => partOf(run, from, tell, name))
}

/** Old rows by name, with the labels of the rows that are trained on. */
export function readOld(
  rows: ResolvedRun["retain"],
  parts: ReadonlyArray<TaskPart>,
): Effect.Effect<Readonly<Record<string, Data>>, DataError, FileSystem.FileSystem> {
  return Effect.map(
    Effect.forEach(Object.entries(rows), ([name, { path, columns, reading }]) => {
      const { labels, kind } = (parts.find((part) => part.name === name) ?? parts[0]).data.train
      const own = { ...reading, ...kind.classes === undefined ? {} : { labels } }
      return Effect.map(file(path, columns, own), (data) => [name, data] as const)
    }),
    (read): Readonly<Record<string, Data>> => Object.fromEntries(read),
  )
}

/** Values by the names of tasks; of one without a name, its value alone. */
export function byTask<A>(
  parts: ReadonlyArray<TaskPart>,
  valueOf: (part: TaskPart, index: number) => A,
): A | Record<string, A> {
  const values = parts.map(valueOf)
  return parts[0].name === undefined ? values[0] : Object.fromEntries(parts.map(({ name }, i) => [name!, values[i]]))
}
