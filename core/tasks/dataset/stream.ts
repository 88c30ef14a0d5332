import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Stream from "effect/Stream"
import {
  type ColumnReader,
  type Data,
  type DataRow,
  DATASET_OPTIONS,
  type DatasetOptions,
  type StreamedData,
} from "../../data/data.ts"
import { attempt, DataError } from "../../data/data_error.ts"
import type { Chunk } from "../../data/readers/reader.ts"
import { checkOptions } from "../../data/table/check_options.ts"
import { type Paths, pathsName } from "../../data/table/paths.ts"
import { openTable } from "../../data/table/read_table.ts"
import type { Table } from "../../data/table/table.ts"
import { columnReaderOf, type Columns, type DataOf } from "../builtin.ts"
import { mapColumns, wantedColumns } from "./map_columns.ts"

/** Rows of a window. */
const DEFAULT_WINDOW = 4096

/** How a file is streamed. */
export interface StreamOptions extends DatasetOptions {
  /** Rows in memory at a time. Steps draw from these in random order. Default 4096. */
  readonly window?: number
}

/** The rows of a data set. */
export type RowOf<D> = D extends Data<infer Row> ? Row : DataRow

/**
 * A data set that is read while a model trains, not before: rows are in memory by windows. Duplicates and the order of labels
 * need all rows, so duplicates stay, and data with classes needs `options.labels`. JSON Lines, plain text whose lines are
 * documents, and what readers such as that of Parquet read in parts may be larger than memory; other formats are parsed whole.
 *
 * Notes tell what the first chunk of rows shows of the format, such as what its quotes are; `told` has those of later chunks and
 * files, once they were read.
 *
 * Fails as {@link file}, for the first chunk of rows; a wrong row in a later chunk ends the run that reads it.
 */
export const stream = <const C extends Columns>(
  paths: Paths,
  columns: C,
  options: StreamOptions = {},
): Effect.Effect<StreamedData<RowOf<DataOf<C>>>, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const reader = yield* attempt(() => checked(pathsName(paths), columns, options))
    const { window: _, labels: __, numbers = [], ...reading } = options
    const chunks = yield* openTable(paths, reading, { ...wantedColumns(reader, numbers), streamed: true })
    return yield* streamOfChunks(chunks, pathsName(paths), columns, options)
  })

/** Checks what is known before a source is opened. Throws DataError. */
const checked = (source: string, columns: Columns, options: StreamOptions): ColumnReader => {
  checkOptions(options, { ...DATASET_OPTIONS, window: true })
  const { window = DEFAULT_WINDOW } = options
  if (!Number.isSafeInteger(window) || window < 1) {
    throw new DataError({ reason: "BadInput", message: `window must be a whole number from 1, got ${window}` })
  }
  const reader = columnReaderOf(columns)
  if (reader.kind.classes !== undefined && options.labels === undefined) {
    const message = `${source}: name all labels, { labels }: a stream does not see all rows at once`
    throw new DataError({ reason: "Label", message })
  }
  return reader
}

/**
 * A data set of chunks that come while a model trains, from any source, such as a database: the stream runs once for each pass.
 *
 * @param source Name of the source, for messages.
 */
export const streamOfChunks = <const C extends Columns>(
  chunks: Stream.Stream<Chunk, DataError>,
  source: string,
  columns: C,
  options: StreamOptions = {},
): Effect.Effect<StreamedData<RowOf<DataOf<C>>>, DataError> =>
  Effect.gen(function* () {
    yield* attempt(() => checked(source, columns, options))
    const { openChunks } = yield* Effect.promise(() => import("../../data/streamed.ts"))
    const { iterate } = yield* Effect.promise(() => import("../../data/readers/mod.ts"))
    const map = (table: Table): Data => mapColumns(table, columns, options)
    const data = yield* openChunks(iterate(chunks, source), source, map, options.window ?? DEFAULT_WINDOW)
    return data as unknown as StreamedData<RowOf<DataOf<C>>>
  })
