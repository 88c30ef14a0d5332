/**
 * The columns of the data and the tasks that they allow.
 * @module
 */
import { Dataset, type Task } from "../mod.ts"

/** Names of columns, with defaults for missing ones. */
export interface ColumnNames {
  readonly text?: string | undefined
  readonly label?: string | undefined
  readonly prompt?: string | undefined
  readonly completion?: string | undefined
  readonly words?: string | undefined
  readonly tags?: string | undefined
}

/** Kind of task. */
type Kind = Task["kind"]

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

/** The named columns, or those of the included data. */
export const columnsOf = (
  data: string,
  task: Kind | undefined,
  names: ColumnNames,
  format: Dataset.DatasetOptions["format"] = Dataset.formatOf(data),
): Dataset.Columns => {
  const { text, label, prompt, completion, words, tags } = names
  if (prompt !== undefined || completion !== undefined) {
    return { prompt: prompt ?? "prompt", completion: completion ?? "completion" }
  }
  if (words !== undefined || tags !== undefined || task === "token-classification") {
    return { words: words ?? "words", tags: tags ?? "tags" }
  }
  const included = data.endsWith("sms_spam.tsv")
  const column = text ?? (included ? "SMS" : "text")
  const plain = task === undefined ? format === "text" : task !== "classification"
  return plain ? { text: column } : { text: column, label: label ?? (included ? "Label" : "label") }
}
