/**
 * The columns of the data and the tasks that they allow.
 * @module
 */
import { type Columns, type DatasetOptions, formatOf } from "../data/dataset.ts"
import type { Task } from "../model/task.ts"

/** Names of columns, with defaults for missing ones. */
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

/** Kind of task. */
export type Kind = Task["kind"]

/** All kinds of task. */
export const KINDS: ReadonlyArray<Kind> = ["classification", "token-classification", "causal-lm", "masked-lm"]

/** Groups of columns, with the tasks that they allow. */
const COLUMNS = [
  { names: ["text", "label"], tasks: ["classification"] },
  { names: ["prompt", "completion"], tasks: ["causal-lm"] },
  { names: ["words", "tags"], tasks: ["token-classification"] },
] as const

/** Problems: columns of several groups, or of a group that does not fit the task. */
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

/** The named columns, or the default ones. */
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
