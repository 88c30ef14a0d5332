/**
 * Which columns of the data are what, and what can be learned from them.
 * @module
 */
import { type Columns, type DatasetOptions, formatOf } from "../data/dataset.ts"
import type { Task } from "../model/task.ts"

/** Names of columns; those that are not given have usual names. */
export interface ColumnNames {
  /** Column of the text. */
  readonly text?: string | undefined
  /** Column of the label. */
  readonly label?: string | undefined
  /** Column of the prompt. */
  readonly prompt?: string | undefined
  /** Column of the completion. */
  readonly completion?: string | undefined
  /** Column of lists of words. */
  readonly words?: string | undefined
  /** Column of lists of the words' labels. */
  readonly tags?: string | undefined
}

/** What can be learned. */
export type Kind = Task["kind"]

/** Everything that can be learned. */
export const KINDS: ReadonlyArray<Kind> = ["classification", "token-classification", "causal-lm", "masked-lm"]

/** Columns by what they are for, with the tasks that they can be learned for. */
const COLUMNS = [
  { names: ["text", "label"], tasks: ["classification"] },
  { names: ["prompt", "completion"], tasks: ["causal-lm"] },
  { names: ["words", "tags"], tasks: ["token-classification"] },
] as const

/** What is wrong: columns of several kinds were named, or of another kind than the task's. */
export const columnProblems = (columns: ColumnNames, task: Kind | undefined): ReadonlyArray<string> => {
  const named = (name: keyof ColumnNames) => columns[name] !== undefined
  const kinds = COLUMNS.filter(({ names }) => names.some(named))
  const show = ({ names }: typeof COLUMNS[number]) => names.filter(named).join(" and ")
  if (kinds.length > 1) return [`data: ${kinds.map(show).join(" beside ")}: name columns of one kind`]
  const [kind] = kinds
  if (task === undefined || kind === undefined) return []
  const plain = !named("label") && kind.names[0] === "text"
  const tasks: ReadonlyArray<Kind> = [...kind.tasks, ...plain ? ["causal-lm", "masked-lm"] as const : []]
  if (tasks.includes(task)) return []
  return [`task: "${task}" does not go with the columns ${show(kind)}, which are for ${tasks.join(", ")}`]
}

/** The columns that were named, or those with the usual names. */
export const columnsOf = (
  data: string,
  task: Kind | undefined,
  names: ColumnNames,
  format: DatasetOptions["format"] = formatOf(data),
): Columns => {
  const { text, label, prompt, completion, words, tags } = names
  if (prompt !== undefined || completion !== undefined) {
    return { prompt: prompt ?? "prompt", completion: completion ?? "completion" }
  }
  if (words !== undefined || tags !== undefined || task === "token-classification") {
    return { words: words ?? "words", tags: tags ?? "tags" }
  }
  const plain = task === undefined ? format === "text" : task !== "classification"
  return plain ? { text: text ?? "text" } : { text: text ?? "text", label: label ?? "label" }
}
