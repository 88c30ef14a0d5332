/**
 * Data sets: rows of one kind, with what reading, dividing and reporting them needs to know of that kind.
 * @module
 */
import type { EncodedRow, Fields } from "./tokenizer/training/pieces.ts"
import type { ReadOptions } from "./table/read_options.ts"
import type { Table } from "./table/table.ts"
import type { Tokenizer } from "./tokenizer/tokenizer.ts"

/** What all rows have. */
export interface DataRow {
  /** Line or row of the source, 1-based. */
  readonly row: number
}

/** What all data sets have. */
export interface DataInfo {
  /** File name or "rows"; used in messages. */
  readonly source: string
  /** What a row's `row` counts: lines of a file or elements of an array. */
  readonly unit: "line" | "row"
  /** Names of the classes (label id = index) or scores; empty where there are none. */
  readonly labels: ReadonlyArray<string>
  /** Notes on how the data was read or split. Default: none. */
  readonly notes?: ReadonlyArray<string>
}

/** A data set. */
export interface Data<Row extends DataRow = DataRow> extends DataInfo {
  /** What its rows are. */
  readonly kind: RowKind<Row>
  /** The rows. */
  readonly rows: ReadonlyArray<Row>
}

/** A data set that is read while a model trains, for one that is larger than memory. */
export interface StreamedData<Row extends DataRow = DataRow> extends DataInfo {
  /** What its rows are. */
  readonly kind: RowKind<Row>
  /** The rows in parts of any size. It is iterated once for each pass over the data. */
  readonly chunks: AsyncIterable<ReadonlyArray<Row>>
  /** Rows in memory at a time: a step draws from these. */
  readonly window: number
}

/** A kind of rows. Tasks say which kinds they learn from; a package may bring kinds of its own. */
export interface RowKind<Row extends DataRow = DataRow> {
  /** Name for messages. */
  readonly name: string
  /** The columns that give such rows, for messages: `"a text and a label column"`. */
  readonly columns: string
  /** All texts of a row. Joined, they are what a person reads; rows with the same first text stay in one split. */
  texts(row: Row): ReadonlyArray<string>
  /** Equal for rows that are about the same text. */
  about(row: Row): string
  /** What a row says of its text, as JSON: rows that are equal in this and in `about` are duplicates. */
  says(row: Row): unknown
  /** What each of some rows about one text says, where not all can be right. Default: all can. */
  conflict?(rows: ReadonlyArray<Row>, labels: ReadonlyArray<string>): ReadonlyArray<string> | undefined
  /** What {@link RowKind.conflict} compares. Default `"labels"`. */
  readonly answers?: string
  /** Label ids in a row; a split notes those that a part lacks. Default: none. */
  classes?(row: Row): ReadonlyArray<number>
  /** Whether each part of a split gets its share of each class, told by a row's first one. Default false. */
  readonly stratified?: boolean
  /** Whether each row about a text counts towards a part's share, as a text may have several answers. Default: a text does. */
  readonly manyAnswers?: boolean
  /** How its rows are encoded where no task is given: in previews. Default: a task must be given. */
  encoding?(): Encoding<Row>
}

/** A batch field: what an objective needs beside the tokens. */
export interface FieldSpec {
  /** Whether an example has one value, or each of its tokens. */
  readonly per: "example" | "token"
  /** Type of the numbers. */
  readonly dtype: "i32" | "f32"
  /** Stands where there is no example or token. An example with this for all of its tokens cannot be trained on. */
  readonly fill: number
  /** Numbers of a value, as a last axis. Default: one, without an axis. */
  readonly size?: number
}

/** How rows become token ids. */
export interface EncodeOptions {
  /** Largest number of tokens of an example, special ones included; at most the model's positions. */
  readonly maxLength: number
  /** Cut longer texts at the end (special tokens stay). False makes a longer text an error. Default true. */
  readonly truncate?: boolean
  /** Prompts with completions: train on the completion alone. Default true. */
  readonly completionOnly?: boolean
  /** Number of the model's token ids; a text with another is an error. Default: any id. */
  readonly vocabSize?: number
}

/** What encoding needs of a task. */
export interface Encoding<Row extends DataRow = DataRow> {
  /** Its batch fields by name. */
  readonly fields: Readonly<Record<string, FieldSpec>>
  /** Makes the function that turns each row of a data set into token ids; several where it takes several sequences. */
  encoder(data: Data<Row>, tokenizer: Tokenizer, options: EncodeOptions): RowEncoder<Row>
  /** Rows that may be joined and cut into blocks, and the batch fields of a block. Default: none may. */
  readonly packing?: { readonly rows: RowKind; readonly fields: (tokens: Int32Array) => Fields }
}

/** Turns a row into token ids. A method's type, so that a task for some rows is one for rows in general. */
export type RowEncoder<Row> = { encode(row: Row): ReadonlyArray<EncodedRow> }["encode"]

/** How a file is read and its labels are numbered. */
export interface DatasetOptions extends ReadOptions {
  /** Label names in the order of their ids; default: those in the data, sorted (numbers by value). */
  readonly labels?: ReadonlyArray<string>
}

/** Rows of a table. */
export interface ReadRows<Row extends DataRow = DataRow> {
  /** The rows. */
  readonly rows: ReadonlyArray<Row>
  /** Names of the classes or scores. Default: none. */
  readonly labels?: ReadonlyArray<string>
  /** Notes for a person. Default: none. */
  readonly notes?: ReadonlyArray<string>
}

/** Which columns of a table are what: how its records become rows. */
export interface ColumnReader<Row extends DataRow = DataRow> {
  /** What the rows are. */
  readonly kind: RowKind<Row>
  /** Columns that the table must have. */
  readonly names: ReadonlyArray<string>
  /** Those of them that hold text, where a note tells of cells such as `NA`. */
  readonly texts: ReadonlyArray<string>
  /** Reads the rows. Throws DataError with all rows at fault. */
  readonly read: (table: Table, options: DatasetOptions) => ReadRows<Row>
}
