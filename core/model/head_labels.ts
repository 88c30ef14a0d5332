/**
 * A classifier's head that lies in the files: whether it is for the task's labels, and in which order.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { JsonError } from "../formats/json_error.ts"
import { readModelConfig } from "../formats/model_config.ts"
import type { StorageError } from "../formats/storage_error.ts"
import { ModelError } from "./model_error.ts"
import type { ClassificationTask, TokenClassificationTask } from "./task.ts"

type Labelled = ClassificationTask | TokenClassificationTask

/** Names that a config gives to a head's classes, by id; undefined where it gives none. */
function namesIn(config: Readonly<Record<string, unknown>>, count?: number): ReadonlyArray<string> | undefined {
  const { id2label, label2id } = config
  const names: string[] = []
  const isRecord = (value: unknown) => typeof value === "object" && value !== null
  if (isRecord(id2label)) Object.entries(id2label!).forEach(([id, name]) => names[Number(id)] = String(name))
  else if (isRecord(label2id)) Object.entries(label2id!).forEach(([name, id]) => names[Number(id)] = name)
  const size = count ?? names.length
  if (size === 0) return undefined
  const all = Array.from({ length: size }, (_, i) => names[i] ?? `LABEL_${i}`)
  return all.every((name, i) => name === `LABEL_${i}`) ? undefined : all
}

const areIds = (labels: ReadonlyArray<string>, names: ReadonlyArray<string>): boolean =>
  !names.some((name) => /^[+-]?\d+$/.test(name)) &&
  labels.every((label) => /^\d+$/.test(label) && Number(label) < names.length)

const isAmong = (labels: ReadonlyArray<string>, names: ReadonlyArray<string>): boolean =>
  areIds(labels, names) || labels.every((label) => names.includes(label))

/**
 * The labels of the head of the model in `directory`, in its own order, where all of `labels` are among them or are its
 * ids; undefined where its `config.json` names others or none. For data sets: their option `labels`.
 */
export function headLabels(
  directory: string,
  labels: ReadonlyArray<string>,
): Effect.Effect<ReadonlyArray<string> | undefined, JsonError | StorageError, FileSystem.FileSystem> {
  return Effect.map(readModelConfig(directory), ({ record }) => {
    const names = namesIn(record)
    return names !== undefined && isAmong(labels, names) ? names : undefined
  })
}

/** What a task becomes with a head of the files, with what a person should know. Throws {@link ModelError}. */
export function taskOfHead<T extends Labelled>(
  task: T,
  config: Readonly<Record<string, unknown>>,
  file: string,
): { readonly task: T; readonly notes: ReadonlyArray<string> } {
  const { labels } = task
  const names = namesIn(config, labels.length)
  const kind = task.kind === "classification" ? config.problem_type : undefined
  const notes = kind === "regression" || kind === "multi_label_classification"
    ? [`${file}: the head was trained for ${kind} (problem_type); here it gives one label for a text`]
    : []
  if (names === undefined) {
    const known = labels.every((label, i) => label === `LABEL_${i}` || label === `${i}`)
    const order = `the head in the files does not name its labels; they are taken in this order: ${listed(labels)}`
    return { task, notes: known ? notes : [...notes, order] }
  }
  const same = labels.every((label, i) => label === names[i] || names[i] === `LABEL_${i}`)
  if (same) return { task, notes }
  if (labels.every((label, i) => label === String(i)) && areIds(labels, names)) {
    return { task: { ...task, labels: names }, notes: [...notes, `the labels are the head's ids: ${listed(names)}`] }
  }
  const sorted = (all: ReadonlyArray<string>) => JSON.stringify([...all].sort())
  const order = sorted(labels) === sorted(names)
  const message =
    `${file}: the head knows the labels ${JSON.stringify(names)}, the task has ${JSON.stringify(labels)}` +
    (order
      ? `: give task and data the head's order (option labels: ${names.join(",")})`
      : "; give them the head's names in its order, or start a new head (option head: new)")
  throw new ModelError({ reason: "Task", message })
}

/** The error for a head of another size. */
export function headOfAnotherSize(
  { labels }: Labelled,
  config: Readonly<Record<string, unknown>>,
  directory: string,
  name: string,
  size: number,
): ModelError {
  const names = namesIn(config, size)
  const own = names === undefined ? "" : `, ${JSON.stringify(names)}`
  const among = names !== undefined && isAmong(labels, names)
  const message =
    `"${directory}": its head (${name}) is for ${size} label${size === 1 ? "" : "s"}${own}, the task has ` +
    `${labels.length}, ${JSON.stringify(labels)}: ` +
    (among ? `give task and data the head's labels (option labels: ${names.join(",")}), or ` : "") +
    "start a new head (option head: new)" + (size === 1 ? "; one of one number is for regression" : "")
  return new ModelError({ reason: "Task", message })
}

const listed = (labels: ReadonlyArray<string>) => labels.map((label, i) => `${i} ${label}`).join(", ")
