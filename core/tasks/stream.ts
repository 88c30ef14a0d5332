import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { type Data, type DataRow, DATASET_OPTIONS, type DatasetOptions, type StreamedData } from "../data/data.ts"
import { attempt, DataError } from "../data/data_error.ts"
import { checkOptions } from "../data/table/check_options.ts"
import { openTable } from "../data/table/read_table.ts"
import { columnReaderOf, type Columns, type DataOf } from "./builtin.ts"
import { mapColumns } from "./map_columns.ts"

/** How a file is streamed. */
export interface StreamOptions extends DatasetOptions {
  /** Rows in memory at a time. Steps draw from these in random order. Default 4096. */
  readonly window?: number
}

type RowOf<D> = D extends Data<infer Row> ? Row : DataRow

/**
 * A data set that is read while a model trains, not before: rows are in memory by windows. Splits, duplicates and the
 * order of labels need all rows, so there are none of the first two, and data with classes needs `options.labels`.
 * Readers of text parse the whole file; those that stream, such as Parquet by row groups, hold a part of it.
 *
 * Fails as {@link file}, for the first chunk of rows; a wrong row in a later chunk ends the run that reads it.
 */
export const stream = <const C extends Columns>(
  path: string,
  columns: C,
  options: StreamOptions = {},
): Effect.Effect<StreamedData<RowOf<DataOf<C>>>, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    yield* attempt(() => checkOptions(options, { ...DATASET_OPTIONS, window: true }))
    const { window = 4096, labels: _, numbers: __, ...reading } = options
    const fail = (reason: "BadInput" | "Label", message: string) => new DataError({ reason, message })
    if (!Number.isSafeInteger(window) || window < 1) {
      return yield* fail("BadInput", `window must be a whole number from 1, got ${window}`)
    }
    const { kind } = yield* attempt(() => columnReaderOf(columns))
    if (kind.classes !== undefined && options.labels === undefined) {
      return yield* fail("Label", `${path}: name all labels, { labels }: a stream does not see all rows at once`)
    }
    const { iterate } = yield* Effect.promise(() => import("../data/readers/mod.ts"))
    const tables = iterate(yield* openTable(path, reading), path)
    const first = yield* Effect.tryPromise({
      try: async () => {
        for await (const table of tables) if (table.rows.length > 0) return table
        throw new DataError({ reason: "Empty", message: `${path} holds no rows` })
      },
      catch: (error) => error as DataError,
    })
    const { rows: ___, notes: ____, ...info } = yield* attempt((): Data => mapColumns(first, columns, options))
    const chunks = {
      async *[Symbol.asyncIterator]() {
        for await (const table of tables) if (table.rows.length > 0) yield mapColumns(table, columns, options).rows
      },
    }
    return { ...info, chunks, window } as unknown as StreamedData<RowOf<DataOf<C>>>
  })
