/**
 * Data for fine-tuning, from files or memory, with its columns mapped and checked.
 *
 * Meant as a namespace: `import * as Dataset from "./dataset.ts"`, then
 * `Dataset.csv("reviews.csv", { text: "review", label: "stars" }).pipe(Dataset.split({ validation: 0.1, test: 0.1, seed: 7 }))`.
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { cellsOf, listsOf, missingNotes } from "./cells.ts"
import { checkColumns } from "./check_columns.ts"
import { attempt, DataError, listPlaces } from "./data_error.ts"
import { readLabels } from "./labels.ts"
import { MASKED } from "./masked.ts"
import { formatOf, readTable } from "./read_table.ts"
import { type ReadOptions, TEXT_COLUMN } from "./read_options.ts"
import { type Row, type Table, tableOf } from "./table.ts"

export { split } from "./split.ts"
export type { Conflict, Duplicate, SplitOptions, Splits } from "./split.ts"

/** Columns of classification data. */
export interface LabeledColumns {
  /** Column that holds the text. */
  readonly text: string
  /** Column that holds the label's name or id. */
  readonly label: string
}
/** Columns of data for completion: the model reads the prompt and learns to write the completion. */
export interface PairColumns {
  /** Column that holds the prompt. */
  readonly prompt: string
  /** Column that holds the completion. */
  readonly completion: string
}
/** Column of data for plain language modelling. */
export interface TextColumns {
  /** Column that holds the text. */
  readonly text: string
  /** Not there: with a label the data is {@link LabeledColumns}. */
  readonly label?: never
}
/** Columns of data for token classification; both hold lists of the same length, so JSON or rows in memory. */
export interface TaggedColumns {
  /** Column that holds the words. */
  readonly words: string
  /** Column that holds a label's name or id for each word. */
  readonly tags: string
}
/** Which columns mean what. */
export type Columns = LabeledColumns | PairColumns | TextColumns | TaggedColumns

/** One text with its label. */
export interface LabeledRow {
  /** The text. */
  readonly text: string
  /** Label id: index into {@link LabeledData.labels}. */
  readonly label: number
  /** Line or row of the source, 1-based. */
  readonly row: number
}
/** One prompt with its completion. */
export interface PairRow {
  /** The prompt. */
  readonly prompt: string
  /** The completion, joined to the prompt with nothing between. */
  readonly completion: string
  /** Line or row of the source, 1-based. */
  readonly row: number
}
/** One text. */
export interface TextRow {
  /** The text. */
  readonly text: string
  /** Line or row of the source, 1-based. */
  readonly row: number
}
/** Words with a label each. */
export interface TaggedRow {
  /** The words. */
  readonly words: ReadonlyArray<string>
  /** The words with spaces between. */
  readonly text: string
  /** Label id of each word: index into {@link TaggedData.labels}; -100 for a word without a label. */
  readonly labels: ReadonlyArray<number>
  /** Line or row of the source, 1-based. */
  readonly row: number
}

/** What all data sets have. */
export interface DataInfo {
  /** File name or "rows"; used in messages. */
  readonly source: string
  /** What a row's `row` counts: lines of a file or elements of an array. */
  readonly unit: "line" | "row"
  /** Label names, label id = index; empty where there are no labels. */
  readonly labels: ReadonlyArray<string>
  /** What a person should know of how the data was read or split. Default: nothing. */
  readonly notes?: ReadonlyArray<string>
}
/** Texts with labels. */
export interface LabeledData extends DataInfo {
  /** Tells this from other data. */
  readonly kind: "classification"
  /** The rows. */
  readonly rows: ReadonlyArray<LabeledRow>
}
/** Prompts with completions. */
export interface PairData extends DataInfo {
  /** Tells this from other data. */
  readonly kind: "completion"
  /** The rows. */
  readonly rows: ReadonlyArray<PairRow>
}
/** Texts alone. */
export interface TextData extends DataInfo {
  /** Tells this from other data. */
  readonly kind: "text"
  /** The rows. */
  readonly rows: ReadonlyArray<TextRow>
}
/** Words with labels. */
export interface TaggedData extends DataInfo {
  /** Tells this from other data. */
  readonly kind: "tagged"
  /** The rows. */
  readonly rows: ReadonlyArray<TaggedRow>
}
/** Any data set. */
export type Data = LabeledData | PairData | TextData | TaggedData

/** The data set that a column mapping gives. */
export type DataOf<C extends Columns> = C extends LabeledColumns ? LabeledData
  : C extends PairColumns ? PairData
  : C extends TaggedColumns ? TaggedData
  : TextData

/** How a file is read and its labels are numbered. */
export interface DatasetOptions extends ReadOptions {
  /** Label names in the order of their ids; default: those in the data, sorted (numbers by value). */
  readonly labels?: ReadonlyArray<string>
}

/** A data set from a file. */
export type FromFile<D extends Data> = Effect.Effect<D, DataError, FileSystem.FileSystem>

/** Reads a file in the format that its extension (or `options.format`) tells. Plain text has one column, "text". */
export const file = <const C extends Columns>(
  path: string,
  columns: C,
  options: DatasetOptions = {},
): FromFile<DataOf<C>> =>
  Effect.flatMap(readTable(path, options), (table) => attempt(() => mapColumns(table, columns, options)))

/** Reads comma-separated values (RFC 4180 quotes). */
export const csv = <const C extends Columns>(
  path: string,
  columns: C,
  options: DatasetOptions = {},
): FromFile<DataOf<C>> => file(path, columns, { ...options, format: "csv" })

/** Reads tab-separated values; the file tells whether quotes are quoting or characters (`options.quotes`). */
export const tsv = <const C extends Columns>(
  path: string,
  columns: C,
  options: DatasetOptions = {},
): FromFile<DataOf<C>> => file(path, columns, { ...options, format: "tsv" })

/** Reads JSON: an array of objects, or what pandas and datasets write in its place (lists or records by column). */
export const json = <const C extends Columns>(
  path: string,
  columns: C,
  options: DatasetOptions = {},
): FromFile<DataOf<C>> => file(path, columns, { ...options, format: "json" })

/** Reads JSON Lines: one object a line. */
export const jsonLines = <const C extends Columns>(
  path: string,
  columns: C,
  options: DatasetOptions = {},
): FromFile<DataOf<C>> => file(path, columns, { ...options, format: "jsonl" })

/** Reads plain text, a document per line, per paragraph, or the whole file (`options.document`). */
export const text = (path: string, options: DatasetOptions = {}): FromFile<TextData> =>
  file(path, { text: TEXT_COLUMN }, { ...options, format: "text" })

/** A data set from rows in memory. */
export const rows = <const C extends Columns>(
  values: ReadonlyArray<Row>,
  columns: C,
  options: DatasetOptions = {},
): Effect.Effect<DataOf<C>, DataError> => attempt(() => fromRows(values, columns, options))

/** {@link rows} as a plain function. @throws DataError */
export const fromRows = <const C extends Columns>(
  values: ReadonlyArray<Row>,
  columns: C,
  options: DatasetOptions = {},
): DataOf<C> => mapColumns(tableOf(values, "rows"), columns, options)

export { formatOf, readTable }
export type { ReadOptions, Row, Table }

const mapColumns = <C extends Columns>(table: Table, columns: C, options: DatasetOptions): DataOf<C> => {
  if (table.rows.length === 0) throw new DataError({ reason: "Empty", message: `${table.source} holds no rows` })
  const wanted = Object.values(columns) as ReadonlyArray<string>
  checkColumns(table, wanted)
  const data = mapped(table, columns, options) as DataOf<C>
  // Labels are looked at as labels.
  const texts = wanted.filter((name) => !("label" in columns) || name !== columns.label)
  const notes = [...table.notes ?? [], ...missingNotes(table, texts), ...data.notes ?? []]
  return notes.length === 0 ? data : { ...data, notes }
}

const mapped = (table: Table, columns: Columns, options: DatasetOptions): Data => {
  const { source, unit, places } = table
  if ("prompt" in columns) {
    const prompts = cellsOf(table, columns.prompt)
    const completions = cellsOf(table, columns.completion)
    const rows = prompts.map((prompt, index) => ({ prompt, completion: completions[index], row: places[index] }))
    return { kind: "completion", source, unit, labels: [], rows }
  }
  if ("words" in columns) return tagged(table, columns, options)
  const texts = cellsOf(table, columns.text)
  if (columns.label === undefined) {
    return { kind: "text", source, unit, labels: [], rows: texts.map((text, index) => ({ text, row: places[index] })) }
  }
  const where = { source, unit, places, column: columns.label }
  const { names, ids, notes } = readLabels(cellsOf(table, columns.label), where, "rows", options.labels)
  const rows = texts.map((text, index) => ({ text, label: ids[index], row: places[index] }))
  return { kind: "classification", source, unit, labels: names, rows, ...notesOf(notes) }
}

const tagged = (table: Table, columns: TaggedColumns, options: DatasetOptions): TaggedData => {
  const { source, unit, places } = table
  const words = listsOf(table, columns.words)
  const tags = listsOf(table, columns.tags)
  const uneven = places.filter((_, index) => words[index].length !== tags[index].length)
  if (uneven.length > 0) {
    const message = `${source}: "${columns.words}" and "${columns.tags}" differ in length in ${
      listPlaces(unit, uneven)
    }`
    throw new DataError({ reason: "Malformed", message, rows: uneven })
  }
  const where = { source, unit, column: columns.tags, places: tags.flatMap((own, i) => own.map(() => places[i])) }
  const { names, ids, notes } = readLabels(tags.flat(), where, "words", options.labels)
  let at = 0
  const all = words.map((own, index): TaggedRow => {
    const labels = ids.slice(at, at += own.length)
    return { words: own, text: own.join(" "), labels, row: places[index] }
  })
  const isLabelled = ({ labels }: TaggedRow) => labels.some((label) => label !== MASKED)
  const rows = all.filter(isLabelled)
  const without = all.filter((row) => !isLabelled(row)).map(({ row }) => row)
  const left = without.length === 0 ? [] : [`${source}: no word has a label in ${listPlaces(unit, without)}: left out`]
  return { kind: "tagged", source, unit, labels: names, rows, ...notesOf([...notes, ...left]) }
}

const notesOf = (notes: ReadonlyArray<string>): Pick<DataInfo, "notes"> => (notes.length === 0 ? {} : { notes })
