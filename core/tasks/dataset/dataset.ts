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
import type * as Stream from "effect/Stream"
import { type Data, DATASET_OPTIONS, type DatasetOptions } from "../../data/data.ts"
import { attempt, DataError } from "../../data/data_error.ts"
import { checkOptions } from "../../data/table/check_options.ts"
import type { Chunk } from "../../data/readers/reader.ts"
import { formatOf } from "../../data/table/open_file.ts"
import type { Paths } from "../../data/table/paths.ts"
import { openTable, readTable } from "../../data/table/read_table.ts"
import type { ReadOptions } from "../../data/table/read_options.ts"
import { TEXT_COLUMN } from "../../data/table/text_options.ts"
import { type Row, type Table, tableOf } from "../../data/table/table.ts"
import { wrongArgument } from "../../options/argument.ts"
import type { Field } from "../../options/field.ts"
import { columnReaderOf, type Columns, type DataOf } from "../builtin.ts"
import type { PairRow, TextRow } from "../causal_lm.ts"
import type { LabeledRow } from "../classification.ts"
import { mapColumns, wantedColumns } from "./map_columns.ts"
import type { TaggedRow } from "../token_classification.ts"

export type {
  ColumnReader,
  Data,
  DataInfo,
  DataRow,
  DatasetOptions,
  ReadRows,
  RowKind,
  StreamedData,
} from "../../data/data.ts"
export { type RowOf, stream, streamOfChunks, type StreamOptions } from "./stream.ts"
export { split } from "../../data/split/split.ts"
export type { StreamedSplits } from "../../data/split/divide_stream.ts"
export { splitStream } from "../../data/split/split_stream.ts"
export type { Conflict, Duplicate, SplitOptions, Splits } from "../../data/split/split.ts"
export type { Columns, DataOf } from "../builtin.ts"
export {
  type MarkedRow,
  markedRows,
  type PairColumns,
  type PairRow,
  pairRows,
  type TextColumns,
  type TextRow,
  textRows,
} from "../causal_lm.ts"
export { type LabeledColumns, type LabeledRow, labeledRows } from "../classification.ts"
export { type LabelSetColumns, type LabelSetRow, labelSetRows } from "../multi_label_classification.ts"
export { type ScoredColumns, type ScoredRow, scoredRows } from "../regression.ts"
export { type TargetColumns, type TargetRow, targetRows } from "../seq2seq.ts"
export { type TaggedColumns, type TaggedRow, taggedRows } from "../token_classification.ts"

/** Texts with labels. */
export type LabeledData = Data<LabeledRow>
/** Prompts with completions. */
export type PairData = Data<PairRow>
/** Texts alone. */
export type TextData = Data<TextRow>
/** Words with labels. */
export type TaggedData = Data<TaggedRow>

/** A data set from a file. */
export type FromFile<D> = Effect.Effect<D, DataError, FileSystem.FileSystem>

/**
 * Reads a file, or several as one, whose columns mean what `columns` says. Fails with a {@link DataError} that names all rows
 * at fault.
 */
export type ReadFile = <const C extends Columns>(
  path: Paths,
  columns: C,
  options?: DatasetOptions,
) => FromFile<DataOf<C>>

/** Reads a file in the format that `options.format`, its content or its extension tells. Plain text has one column, "text". */
export const file: ReadFile = <const C extends Columns>(
  path: Paths,
  columns: C,
  options: DatasetOptions = {},
): FromFile<DataOf<C>> =>
  Effect.gen(function* () {
    yield* attempt(() => checkOptions(options, DATASET_OPTIONS))
    const { labels: _, numbers = [], ...reading } = options
    const reader = yield* attempt(() => columnReaderOf(columns))
    const table = yield* readTable(path, reading, wantedColumns(reader, numbers))
    return yield* attempt(() => mapColumns(table, columns, options))
  })

/**
 * A data set of chunks of rows from any source, such as a database.
 *
 * @param source Name of the source, for messages.
 */
export const dataOfChunks = <const C extends Columns>(
  chunks: Stream.Stream<Chunk, DataError>,
  source: string,
  columns: C,
  options: DatasetOptions = {},
): Effect.Effect<DataOf<C>, DataError> =>
  Effect.gen(function* () {
    yield* attempt(() => checkOptions(options, DATASET_OPTIONS))
    const { collect } = yield* Effect.promise(() => import("../../data/readers/mod.ts"))
    const table = yield* collect(chunks, source)
    return yield* attempt(() => mapColumns(table, columns, options))
  })

const fileOf = (format: string): ReadFile => (path, columns, options) => file(path, columns, { ...options, format })

/** Reads comma-separated values (RFC 4180 quotes). */
export const csv: ReadFile = fileOf("csv")

/** Reads tab-separated values; the file tells whether quotes are quoting or characters (`options.quotes`). */
export const tsv: ReadFile = fileOf("tsv")

/** Reads JSON: an array of objects, or what pandas and datasets write in its place (lists or records by column). */
export const json: ReadFile = fileOf("json")

/** Reads JSON Lines: one object a line. */
export const jsonLines: ReadFile = fileOf("jsonl")

/** Reads plain text, a document per line, per paragraph, or the whole file (`options.document`). */
export const text = (path: Paths, options: DatasetOptions = {}): FromFile<TextData> =>
  file(path, { text: TEXT_COLUMN }, { ...options, format: "text" })

const ROWS: Field<unknown> = { type: "array", wanted: "a list of objects" }

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
): DataOf<C> => {
  checkOptions(options, DATASET_OPTIONS)
  const wrong = wrongArgument("rows", values, ROWS)
  if (wrong !== undefined) throw new DataError({ reason: "BadInput", message: wrong })
  return mapColumns(tableOf(values, "rows"), columns, options)
}

export { formatOf, openTable, readTable }
export type { Chunk, OpenOptions, Reader } from "../../data/readers/reader.ts"
export type { Paths } from "../../data/table/paths.ts"
export type { Wanted } from "../../data/table/open_file.ts"
export type { Source } from "../../data/table/source.ts"
export type { ReadOptions, Row, Table }
