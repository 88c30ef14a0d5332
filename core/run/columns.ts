/**
 * The columns of the data and the tasks that they allow.
 * @module
 */
import { Task } from "../tasks/builtin.ts"
import { type Columns, type Data, type DatasetOptions, formatOf } from "../tasks/dataset.ts"

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

/** Name of a task. */
export type Kind =
  | "classification"
  | "token-classification"
  | "multi-label-classification"
  | "regression"
  | "causal-lm"
  | "masked-lm"

/** Tasks by name: each makes the task for data with these labels. */
const TASKS: Readonly<Record<Kind, (labels: ReadonlyArray<string>) => Task>> = {
  "classification": Task.classification,
  "token-classification": Task.tokenClassification,
  "multi-label-classification": Task.multiLabelClassification,
  "regression": Task.regression,
  "causal-lm": Task.causalLM,
  "masked-lm": Task.maskedLM,
}

/** Names of all tasks. */
export const KINDS: ReadonlyArray<Kind> = Object.keys(TASKS) as ReadonlyArray<Kind>

/** The task of a name, or the first that learns from such data. */
export const taskOf = ({ kind, labels }: Data, name?: Kind): Task => {
  const tasks: ReadonlyArray<Task> = (name === undefined ? KINDS : [name]).map((name) => TASKS[name](labels))
  return tasks.find(({ rows }) => rows.includes(kind)) ?? tasks[0]
}

/** Groups of columns, with the tasks that they allow. */
const COLUMNS = [
  { names: ["text", "label"], tasks: ["classification", "multi-label-classification", "regression"] },
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
  const column = text ?? "text"
  const plain = task === undefined
    ? format === "text" && label === undefined
    : task === "causal-lm" || task === "masked-lm"
  if (plain) return { text: column }
  const answer = label ?? "label"
  if (task === "regression") return { text: column, scores: answer.split(",").map((name) => name.trim()) }
  return task === "multi-label-classification" ? { text: column, labels: answer } : { text: column, label: answer }
}
