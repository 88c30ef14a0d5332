/**
 * Data sets: rows of one kind, and what readers, splits and reports need to know about the kind.
 * @module
 */
import type { EncodedRow, Fields } from "./pieces/pieces.ts"
import type { OptionNames } from "../options/unknown_option.ts"
import { READ_OPTIONS, type ReadOptions } from "./table/read_options.ts"
import type { Table } from "./table/table.ts"
import type { Tokenizer } from "./tokenizer/tokenizer.ts"

/** Fields of all rows. */
export interface DataRow {
  /** Line or row of the source, 1-based. */
  readonly row: number
  /** Numbers of further columns, by name: see {@link DatasetOptions.numbers}. Default: none. */
  readonly numbers?: Readonly<Record<string, number>>
}

/** Fields of all data sets. */
export interface DataInfo {
  /** File name or "rows"; used in messages. */
  readonly source: string
  /** Unit of a row's `row`: lines of a file or elements of an array. */
  readonly unit: "line" | "row"
  /** Names of the classes (label id = index) or scores; empty if there are none. */
  readonly labels: ReadonlyArray<string>
  /** Notes on how the data was read or split. Default: none. */
  readonly notes?: ReadonlyArray<string>
}

/** A data set. */
export interface Data<Row extends DataRow = DataRow> extends DataInfo {
  /** Kind of its rows. */
  readonly kind: RowKind<Row>
  /** The rows. */
  readonly rows: ReadonlyArray<Row>
}

/** A data set that is read while a model trains, for one that is larger than memory. */
export interface StreamedData<Row extends DataRow = DataRow> extends DataInfo {
  /** Kind of its rows. */
  readonly kind: RowKind<Row>
  /** The rows in parts of any size. It is iterated once for each pass over the data. */
  readonly chunks: AsyncIterable<ReadonlyArray<Row>>
  /** Rows in memory at a time: a step draws from these. */
  readonly window: number
  /** Rows of a pass. Default: not known, so that a run needs `maxSteps`. */
  readonly count?: number
  /** Notes on all chunks that were read so far. Default: those of `notes`. */
  readonly told?: () => ReadonlyArray<string>
}

/** A kind of rows. Tasks list the kinds that they learn from; packages can define others. */
export interface RowKind<Row extends DataRow = DataRow> {
  /** Name for messages. */
  readonly name: string
  /** The columns that give such rows, for messages: `"a text and a label column"`. */
  readonly columns: string
  /** All texts of a row, to be read one after the other. Rows with the same first text stay in one split. */
  texts(row: Row): ReadonlyArray<string>
  /** Equal for rows that are about the same text. */
  about(row: Row): string
  /** The answer of a row, as JSON: rows that are equal in this and in `about` are duplicates. */
  says(row: Row): unknown
  /** The answers of several rows about one text, if not all can be right. Default: all can. */
  conflict?(rows: ReadonlyArray<Row>, labels: ReadonlyArray<string>): ReadonlyArray<string> | undefined
  /** Name of the answers that {@link RowKind.conflict} compares. Default `"labels"`. */
  readonly answers?: string
  /** Label ids in a row; a split notes the ones that a part lacks. Default: the kind has no classes. */
  classes?(row: Row): ReadonlyArray<number>
  /** Whether each part of a split gets its share of each class (the first one of a row). Default false. */
  readonly stratified?: boolean
  /** Whether a part's share is counted in rows, since a text may have several answers. Default: in texts. */
  readonly manyAnswers?: boolean
  /** What a row asks, and the text that answers it. Default: the answer is no text. */
  asks?(row: Row): readonly [prompt: string, answer: string]
  /** Encoding without a task, for previews. Default: a task is required. */
  encoding?(): Encoding<Row>
}

/** What a batch field has one value for; a target is a second sequence of tokens, with a length of its own. */
export type FieldExtent = "example" | "token" | "target"

/** A batch field: input of an objective in addition to the tokens. */
export interface FieldSpec {
  /** One value for each example, for each token, or for each token of the target. */
  readonly per: FieldExtent
  /** Type of the numbers. */
  readonly dtype: "i32" | "f32"
  /** Value of empty rows and padding. An example with this value for all tokens cannot be trained on. */
  readonly fill: number
  /** Size of a last axis, for values of several numbers. Default: no such axis. */
  readonly size?: number
}

/** How rows become token ids. */
export interface EncodeOptions {
  /** Largest number of tokens of an example, and of its target, special ones included; at most the model's positions. */
  readonly maxLength: number
  /** Cut longer texts at the end (special tokens stay). False makes a longer text an error. Default true. */
  readonly truncate?: boolean
  /** Prompts with completions: train on the completion alone. Default true. */
  readonly completionOnly?: boolean
  /** Number of the model's token ids; a text with another is an error. Default: any id. */
  readonly vocabSize?: number
}

/** The part of a task that encoding uses. */
export interface Encoding<Row extends DataRow = DataRow> {
  /** Its batch fields by name. */
  readonly fields: Readonly<Record<string, FieldSpec>>
  /** Makes the function that turns a row into token ids: one sequence, or several. */
  encoder(data: Data<Row>, tokenizer: Tokenizer, options: EncodeOptions): RowEncoder<Row>
  /** Rows that can be joined and cut into blocks, and the batch fields of a block. Default: no packing. */
  readonly packing?: { readonly rows: RowKind; readonly fields: (tokens: Int32Array, target: Int32Array) => Fields }
}

/** Turns a row into token ids. Typed as a method, so that a task of one kind of rows is a task of rows in general. */
export type RowEncoder<Row> = { encode(row: Row): ReadonlyArray<EncodedRow> }["encode"]

/** How a file is read and its labels are numbered. */
export interface DatasetOptions extends ReadOptions {
  /** Label names in the order of their ids; default: those in the data, sorted (numbers by value). */
  readonly labels?: ReadonlyArray<string>
  /** Further columns, of numbers, that plugins read, such as a curriculum's difficulty. Default: none. */
  readonly numbers?: ReadonlyArray<string>
}

/** The names of {@link DatasetOptions}. */
export const DATASET_OPTIONS: OptionNames<DatasetOptions> = { ...READ_OPTIONS, labels: true, numbers: true }

/** Rows of a table. */
export interface ReadRows<Row extends DataRow = DataRow> {
  /** The rows. */
  readonly rows: ReadonlyArray<Row>
  /** Names of the classes or scores. Default: none. */
  readonly labels?: ReadonlyArray<string>
  /** Notes about the data. Default: none. */
  readonly notes?: ReadonlyArray<string>
}

/** Maps the columns of a table to rows. */
export interface ColumnReader<Row extends DataRow = DataRow> {
  /** Kind of the rows. */
  readonly kind: RowKind<Row>
  /** Columns that the table must have; all are read where there are none. */
  readonly names: ReadonlyArray<string>
  /** The ones with text, where cells such as `NA` give a note. */
  readonly texts: ReadonlyArray<string>
  /** Reads the rows. Throws DataError with all rows at fault. */
  readonly read: (table: Table, options: DatasetOptions) => ReadRows<Row>
}
