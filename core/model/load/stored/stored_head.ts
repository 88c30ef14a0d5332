/**
 * A classifier's head that lies in the files: whether it is for the task's labels, and in which order.
 * @module
 */
import type { SizedHead } from "../../../contracts/head.ts"
import type { TaskOf } from "../../../tasks/task.ts"
import { areIds, isAmong, namesIn } from "../../head_labels.ts"
import { ModelError } from "../../model_error.ts"

/** A task whose head has names for what it gives. */
export type Labelled = TaskOf & { readonly labels: ReadonlyArray<string>; readonly head: SizedHead }

/** Whether a task's head has a name for each number that it gives. */
export const isLabelled = ({ labels, head }: TaskOf): boolean =>
  head.kind !== "vocabulary" && labels?.length === head.size

/** What a task becomes with a head of the files, with what a person should know. Throws {@link ModelError}. */
export function taskOfHead(
  task: Labelled,
  config: Readonly<Record<string, unknown>>,
  file: string,
): { readonly task: TaskOf; readonly notes: ReadonlyArray<string> } {
  const { labels, problemType } = task
  const names = namesIn(config, labels.length)
  const { problem_type: trained } = config
  const notes = typeof trained === "string" && problemType !== undefined && trained !== problemType
    ? [`${file}: the head was trained for ${trained} (problem_type); here it is for ${task.kind}`]
    : []
  // One number has no order, and may have another name.
  if (labels.length === 1) return { task, notes }
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
  { labels = [], head }: TaskOf,
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
    `${head.kind === "vocabulary" ? 0 : head.size}, ${JSON.stringify(labels)}: ` +
    (among ? `give task and data the head's labels (option labels: ${names.join(",")}), or ` : "") +
    "start a new head (option head: new)" + (size === 1 ? "; one of one number is for regression" : "")
  return new ModelError({ reason: "Task", message })
}

const listed = (labels: ReadonlyArray<string>) => labels.map((label, i) => `${i} ${label}`).join(", ")
