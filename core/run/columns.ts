/**
 * The columns of the data and the tasks that they allow.
 * @module
 */
import { Task } from "../tasks/builtin.ts"
import { type Columns, type Data, type DatasetOptions, formatOf, type Paths } from "../tasks/dataset/dataset.ts"

/** Names of columns, with defaults for missing ones. */
export interface ColumnNames {
  /** Column of the text. */
  readonly text?: string | undefined
  /** Column of the label. */
  readonly label?: string | undefined
  /** Delimiter between the labels in a cell. */
  readonly separator?: string | undefined
  /** Column of the prompt. */
  readonly prompt?: string | undefined
  /** Column of the completion. */
  readonly completion?: string | undefined
  /** Column of the source. */
  readonly source?: string | undefined
  /** Column of the target. */
  readonly target?: string | undefined
  /** Column of lists of words. */
  readonly words?: string | undefined
  /** Column of lists of the words' labels. */
  readonly tags?: string | undefined
  /** Column of lists of messages. */
  readonly messages?: string | undefined
}

/** Name of a task. */
export type Kind =
  | "classification"
  | "token-classification"
  | "multi-label-classification"
  | "regression"
  | "causal-lm"
  | "masked-lm"
  | "seq2seq"
  | "span-corruption"

type Answer = "separator" | "labels" | "turns" | "template"

/** Columns that a task can learn from. */
interface Reading {
  readonly task: Kind
  /** Makes the task for data with these labels. */
  readonly make: (labels: ReadonlyArray<string>) => Task
  readonly names: ReadonlyArray<keyof ColumnNames>
  /** Further options of the data that mean something here. */
  readonly options?: ReadonlyArray<Answer>
  readonly columns: (names: ColumnNames) => Columns
}

/** What each task reads; the first that fits is the default. */
const READINGS: ReadonlyArray<Reading> = [
  {
    task: "classification",
    make: Task.classification,
    names: ["text", "label"],
    options: ["labels"],
    columns: ({ text = "text", label = "label" }) => ({ text, label }),
  },
  {
    task: "token-classification",
    make: Task.tokenClassification,
    names: ["words", "tags"],
    options: ["labels"],
    columns: ({ words = "words", tags = "tags" }) => ({ words, tags }),
  },
  {
    task: "multi-label-classification",
    make: Task.multiLabelClassification,
    names: ["text", "label"],
    options: ["labels", "separator"],
    columns: ({ text = "text", label = "label", separator = "," }) => ({ text, labels: label, separator }),
  },
  {
    task: "regression",
    make: Task.regression,
    names: ["text", "label"],
    columns: ({ text = "text", label = "label" }) => ({ text, scores: label.split(",").map((name) => name.trim()) }),
  },
  { task: "causal-lm", make: Task.causalLM, names: ["text"], columns: ({ text = "text" }) => ({ text }) },
  {
    task: "causal-lm",
    make: Task.causalLM,
    names: ["prompt", "completion"],
    columns: ({ prompt = "prompt", completion = "completion" }) => ({ prompt, completion }),
  },
  {
    task: "causal-lm",
    make: Task.causalLM,
    names: ["messages"],
    options: ["turns", "template"],
    // Until a chat template is at hand: see ResolvedData.
    columns: ({ messages = "messages" }) => ({ text: messages }),
  },
  { task: "masked-lm", make: Task.maskedLM, names: ["text"], columns: ({ text = "text" }) => ({ text }) },
  {
    task: "seq2seq",
    make: Task.seq2seq,
    names: ["source", "target"],
    columns: ({ source = "source", target = "target" }) => ({ source, target }),
  },
  {
    task: "span-corruption",
    make: () => Task.spanCorruption(),
    names: ["text"],
    columns: ({ text = "text" }) => ({ text }),
  },
]

const tasksOf = (readings: ReadonlyArray<Reading>): ReadonlyArray<Kind> => [
  ...new Set(readings.map(({ task }) => task)),
]

/** Names of all tasks. */
export const KINDS: ReadonlyArray<Kind> = tasksOf(READINGS)

/** The named task, or the first one for this kind of rows. */
export const taskOf = ({ kind, labels }: Pick<Data, "kind" | "labels">, name?: Kind): Task => {
  const tasks = READINGS.filter(({ task }) => name === undefined || task === name).map(({ make }) => make(labels))
  return tasks.find(({ rows }) => rows.includes(kind)) ?? tasks[0]
}

/** Columns that belong together. */
const GROUPS = [
  ["text", "label"],
  ["prompt", "completion"],
  ["source", "target"],
  ["words", "tags"],
  ["messages"],
] as const

const namedIn = (columns: ColumnNames) => GROUPS.flat().filter((name) => columns[name] !== undefined)

const fittingTo = (columns: ColumnNames): ReadonlyArray<Reading> =>
  READINGS.filter(({ names }) => namedIn(columns).every((name) => names.includes(name)))

/** Problems: columns of several groups, of a group that does not fit the task, or options that the task does not use. */
export const columnProblems = (
  data: ColumnNames & Pick<DatasetOptions, "labels"> & { readonly turns?: unknown; readonly template?: unknown },
  task: Kind | undefined,
): ReadonlyArray<string> => {
  const named = namedIn(data)
  const groups = GROUPS.map((group) => group.filter((name) => named.includes(name)).join(" and ")).filter(Boolean)
  if (groups.length > 1) return [`data: ${groups.join(" beside ")}: name columns of one kind`]
  const fitting = fittingTo(data)
  const readings = fitting.filter((reading) => task === undefined || reading.task === task)
  if (readings.length === 0) {
    const tasks = tasksOf(fitting).join(", ")
    return [`task: "${task}" does not go with the columns ${groups[0]}, which are for ${tasks}`]
  }
  const uses = (option: Answer) => ({ options = [] }: Reading) => options.includes(option)
  return (["separator", "labels", "turns", "template"] as const)
    .filter((option) => data[option] !== undefined && !readings.some(uses(option)))
    .map((option) => {
      const tasks = tasksOf(READINGS.filter(uses(option))).join(", ")
      return `data: ${option} is for ${tasks}, not for ${readings[0].task}: leave it out`
    })
}

/** Whether no column is named, so that others than the default ones may be meant. */
export const namesNone = (columns: ColumnNames): boolean => namedIn(columns).length === 0

/** The named columns, or the default ones. A file of plain text holds texts alone. */
export const columnsOf = (
  data: Paths,
  task: Kind | undefined,
  names: ColumnNames,
  format: string | undefined = formatOf(data),
): Columns => {
  const fitting = fittingTo(names)
  const wanted = task ?? (format === "text" ? "causal-lm" : undefined)
  return (fitting.find((reading) => reading.task === wanted) ?? fitting[0]).columns(names)
}
