import { DEFAULT_TASK } from "../contracts/batch_source.ts"
import { DataError, listPlaces } from "../data/data_error.ts"
import type { Data } from "../data/dataset.ts"
import { encode, encodeBlocks, type Encoded, type Example, MASKED } from "../data/encode.ts"
import type { Tokenizer } from "../data/tokenizer.ts"
import { labelsOf, type Task } from "../model/task.ts"
import { wrongTokenId } from "../model/token_ids.ts"
import type { MaskingOptions } from "./mask_tokens.ts"
import { TrainingError } from "./training_error.ts"

/** Rows of one task, or of several by name. */
export type Split = Data | Readonly<Record<string, Data>>

/** What a run learns from. A data set that was split fits. */
export interface TrainingData {
  /** Rows to train on. */
  readonly train: Split
  /** Rows to choose by: the best weights on them are kept. */
  readonly validation?: Split
}

/** How rows become examples. */
export interface EncodingOptions {
  /** Tokens that the model has positions for. */
  readonly maxPositions: number
  /** Number of the model's token ids. */
  readonly vocabSize: number
  /** Longer texts are cut to this; without it they are an error. */
  readonly maxLength?: number | undefined
  readonly packing?: boolean
  readonly completionOnly?: boolean
  /** Texts to classify may be without a label. Default false. */
  readonly unlabeled?: boolean
}

/** Examples of a task, with the rows that they come from. */
export interface TaskExamples {
  readonly data: Data
  readonly examples: ReadonlyArray<Example>
  /** Rows that were cut. */
  readonly truncated: number
  /** What was seen in each row's text. */
  readonly found?: Encoded["found"]
  /** Set where tokens are to be hidden before they go through the model. */
  readonly masking?: MaskingOptions
}

/** Kind of data that each task learns from, and how a person gets it. */
const DATA: Readonly<Record<Task["kind"], { readonly kinds: ReadonlyArray<Data["kind"]>; readonly columns: string }>> =
  {
    "classification": { kinds: ["classification"], columns: "a text and a label column" },
    "token-classification": { kinds: ["tagged"], columns: "a words and a tags column" },
    "causal-lm": { kinds: ["text", "completion"], columns: "a text column alone, or a prompt and a completion column" },
    "masked-lm": { kinds: ["text"], columns: "a text column alone" },
  }

const isData = (split: Split): split is Data => Array.isArray(split.rows)

/** Data sets of a split by task. One without rows counts as none. */
export function tasksOf(split: Split | undefined): Readonly<Record<string, Data>> {
  if (split === undefined) return {}
  const tasks = isData(split) ? { [DEFAULT_TASK]: split } : split
  return Object.fromEntries(Object.entries(tasks).filter(([, data]) => data.rows.length > 0))
}

/** Throws a {@link TrainingError} for data that is not what the model's task learns from; DataError for a wrong label id. */
export function checkData(data: Data, task: Task, unlabeled = false): void {
  const wrong = (message: string) => new TrainingError({ reason: "Options", message: `${data.source}: ${message}` })
  const { kinds, columns } = DATA[task.kind]
  if (!kinds.includes(data.kind)) {
    throw wrong(
      `it holds ${data.kind} data, but the model's task is ${task.kind}: map ${columns}, or take another task`,
    )
  }
  const labels = labelsOf(task)
  if (labels === undefined) return
  // Ids in the data, names in the model's head: the same classes in the same order.
  const areIds = !labels.some((label) => /^[+-]?\d+$/.test(label)) && data.labels.every((label, i) => label === `${i}`)
  if (areIds && data.labels.length === labels.length) return
  if (data.labels.length !== labels.length || data.labels.some((label, i) => label !== labels[i])) {
    const [own, others] = [data.labels, labels].map((labels) => JSON.stringify(labels))
    throw wrong(`its labels are ${own}, the model's are ${others}: give both the same list in the same order`)
  }
  checkLabelIds(data, unlabeled)
}

/** Words may be without a label; texts where they are not learned from. */
function checkLabelIds(data: Data, unlabeled: boolean): void {
  const count = data.labels.length
  const fits = (label: number, free: boolean) =>
    (Number.isInteger(label) && label >= 0 && label < count) || (free && label === MASKED)
  const rows = data.kind === "classification"
    ? data.rows.filter(({ label }) => !fits(label, unlabeled))
    : data.kind === "tagged"
    ? data.rows.filter(({ labels, words }) =>
      labels.length !== words.length || !labels.every((label) => fits(label, true))
    )
    : []
  if (rows.length === 0) return
  const places = rows.map(({ row }) => row)
  const message = `${data.source}: label ids must be from 0 to ${count - 1}, one for each ` +
    `${data.kind === "tagged" ? `word (${MASKED} for none)` : "text"}, in ${listPlaces(data.unit, places)}`
  throw new DataError({ reason: "Label", message, rows: places })
}

/** What rows are padded with: the tokenizer's own token where the model has it. */
export function padIdOf({ padId = 0 }: Tokenizer, vocabSize: number): number {
  return wrongTokenId([padId], vocabSize) === undefined ? padId : 0
}

/** Token ids of the rows of a data set. Throws DataError or {@link TrainingError}. */
export function encodeData(data: Data, task: Task, tokenizer: Tokenizer, options: EncodingOptions): TaskExamples {
  checkData(data, task, options.unlabeled)
  const { maxPositions, vocabSize, completionOnly = true } = options
  if (options.maxLength !== undefined && options.maxLength > maxPositions) {
    const message = `maxLength is ${options.maxLength}, but the model has ${maxPositions} positions`
    throw new TrainingError({ reason: "Options", message })
  }
  const maxLength = options.maxLength ?? maxPositions
  if (options.packing) {
    if (data.kind !== "text" || task.kind !== "causal-lm") {
      const message = `${data.source}: packing is for plain texts of which the next token is learned`
      throw new TrainingError({ reason: "Options", message })
    }
    return { data, ...encodeBlocks(data, tokenizer, { blockLength: maxLength, vocabSize }) }
  }
  const truncate = options.maxLength !== undefined
  const encoding = { maxLength, truncate, vocabSize }
  if (task.kind !== "masked-lm") return { data, ...encode(data, tokenizer, { ...encoding, completionOnly }) }
  const { maskId } = tokenizer
  if (maskId === undefined) {
    const message = "masked-lm needs a tokenizer with a mask token: its files name none that is in the vocabulary"
    throw new TrainingError({ reason: "Options", message })
  }
  const beyond = wrongTokenId([maskId], vocabSize)
  if (beyond !== undefined) {
    const message = `the tokenizer's mask token has the ${beyond}; take the tokenizer that belongs to the model`
    throw new DataError({ reason: "Tokenizer", message })
  }
  return { data, masking: { maskId, vocabSize }, ...encode(data, tokenizer, { ...encoding, masked: true }) }
}
