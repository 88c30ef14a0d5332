import { DEFAULT_TASK } from "../../contracts/batch_source.ts"
import type { Data, StreamedData } from "../../data/data.ts"
import { DataError, listPlaces } from "../../data/data_error.ts"
import { encode, encodeBlocks, type Encoded } from "../../data/encode.ts"
import { wrongTokenId } from "../../data/token_ids.ts"
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import { OBJECT, wrongArgument } from "../../options/argument.ts"
import type { TaskOf, Vocabulary } from "../../tasks/task.ts"
import { TrainingError } from "../training_error.ts"

/** Rows of one task, or of several by the names that the model has for them. */
export type Split = Data | Readonly<Record<string, Data>>

/**
 * What a run learns from. A data set that was split fits. Of several tasks each step has rows of one, in a seeded order: an
 * epoch has every row of each task once, so that a task has steps in proportion to its rows.
 */
export interface TrainingData {
  /** Rows to train on, in memory or read while the model trains. */
  readonly train: Split | StreamedData
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
export interface TaskExamples extends Encoded {
  readonly data: Data
  readonly vocabulary: Vocabulary
}

const isData = (split: Split): split is Data => Array.isArray(split.rows) || isStreamed(split as Data)

/** Whether rows are in memory and of a kind, as `Dataset` makes them. */
const isInMemory = (data: Data | undefined): boolean =>
  Array.isArray(data?.rows) && wrongArgument("kind", data.kind, OBJECT) === undefined

/** Whether rows are read while the model trains. */
export const isStreamed = (split: TrainingData["train"] | Data | undefined): split is StreamedData =>
  typeof split === "object" && split !== null && "chunks" in split && Symbol.asyncIterator in split.chunks

/** Throws a {@link TrainingError} for what is no data set in memory; `what` says where it was given. */
export function checkInMemory(data: Data | undefined, what: string): void {
  if (isInMemory(data)) return
  const message = isStreamed(data)
    ? `${what} is a stream; streamed rows can only be the whole training split of a model of one task: read it with ` +
      "Dataset.file"
    : `${what} must be a data set, as Dataset.csv, Dataset.rows and the others make it`
  throw new TrainingError({ reason: "Options", message })
}

/** Data sets of a split by task. One without rows counts as none. */
export function tasksOf(split: Split | undefined): Readonly<Record<string, Data>> {
  if (split === undefined || split === null) return {}
  const tasks = isData(split) ? { [DEFAULT_TASK]: split } : split
  for (const [name, data] of Object.entries(tasks)) checkInMemory(data, `data of "${name}"`)
  return Object.fromEntries(Object.entries(tasks).filter(([, data]) => data.rows.length > 0))
}

/** Throws a {@link TrainingError} for data that is not what the model's task learns from; DataError for a wrong label id. */
export function checkData(data: Data, task: TaskOf, unlabeled = false): void {
  const wrong = (message: string) => new TrainingError({ reason: "Options", message: `${data.source}: ${message}` })
  if (!task.rows.includes(data.kind)) {
    const columns = task.rows.map(({ columns }) => columns).join(", or ")
    throw wrong(
      `it holds ${data.kind.name} data, but the model's task is ${task.kind}: map ${columns}, or take another task`,
    )
  }
  const { labels = [] } = task
  // Ids in the data, names in the model's head: the same classes in the same order.
  const areIds = !labels.some((label) => /^[+-]?\d+$/.test(label)) && data.labels.every((label, i) => label === `${i}`)
  // One score has no order, and may have another name.
  const single = data.labels.length === 1 && labels.length === 1
  const same = data.labels.length === labels.length &&
    (areIds || single || data.labels.every((label, i) => label === labels[i]))
  if (!same) {
    const [own, others] = [data.labels, labels].map((labels) => JSON.stringify(labels))
    throw wrong(`its labels are ${own}, the model's are ${others}: give both the same list in the same order`)
  }
  const faults = data.rows.flatMap((row) => {
    const fault = task.fault?.(row, labels, unlabeled)
    return fault === undefined ? [] : [{ fault, row: row.row }]
  })
  if (faults.length === 0) return
  const rows = faults.map(({ row }) => row)
  const message = `${data.source}: ${faults[0].fault}, in ${listPlaces(data.unit, rows)}`
  throw new DataError({ reason: "Label", message, rows })
}

/** What rows are padded with: the tokenizer's own token where the model has it. */
export function padIdOf({ padId = 0 }: Tokenizer, vocabSize: number): number {
  return wrongTokenId([padId], vocabSize) === undefined ? padId : 0
}

/** Token ids of the rows of a data set. Throws DataError or {@link TrainingError}. */
export function encodeData(data: Data, task: TaskOf, tokenizer: Tokenizer, options: EncodingOptions): TaskExamples {
  checkData(data, task, options.unlabeled)
  const { maxPositions, vocabSize, completionOnly = true } = options
  if (options.maxLength !== undefined && options.maxLength > maxPositions) {
    const message = `maxLength is ${options.maxLength}, but the model has ${maxPositions} positions`
    throw new TrainingError({ reason: "Options", message })
  }
  const maxLength = options.maxLength ?? maxPositions
  const vocabulary = { vocabSize, maskId: tokenizer.maskId }
  if (options.packing) {
    if (task.packing?.rows !== data.kind) {
      const message = `${data.source}: packing is for plain texts of which the next token is learned`
      throw new TrainingError({ reason: "Options", message })
    }
    const blocks = encodeBlocks(data, tokenizer, { blockLength: maxLength, vocabSize, task })
    return { data, vocabulary, ...blocks }
  }
  const truncate = options.maxLength !== undefined
  return { data, vocabulary, ...encode(data, tokenizer, { maxLength, truncate, vocabSize, completionOnly, task }) }
}
