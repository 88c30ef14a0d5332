/**
 * Rows of an SQL query as a data set, through the `SqlClient` of Effect: any database that has a driver for it, such as PostgreSQL
 * by `@effect/sql-pg`, or SQLite by `@espalier/espalier/sqlite`.
 *
 * ```ts
 * import { layer } from "@espalier/espalier/sqlite"
 * import * as Sql from "@espalier/espalier/sql"
 * import * as Effect from "effect/Effect"
 *
 * const statement = "SELECT body, stars FROM reviews WHERE spam = 0 ORDER BY id"
 *
 * // A streamed data set: the query runs anew for each pass, so its order must be the same.
 * const columns = { text: "body", label: "stars" }
 * const labels = ["1", "2", "3", "4", "5"]
 * export const streamed = Sql.stream(statement, columns, { labels }).pipe(Effect.provide(layer("reviews.db")))
 *
 * // In memory.
 * export const reviews = Sql.query(statement, columns).pipe(Effect.provide(layer("reviews.db")), Effect.scoped)
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { DatasetOptions, StreamedData } from "../../core/data/data.ts"
import type { DataError } from "../../core/data/data_error.ts"
import type { Columns, DataOf } from "../../core/tasks/builtin.ts"
import { dataOfChunks } from "../../core/tasks/dataset/dataset.ts"
import { type RowOf, streamOfChunks, type StreamOptions } from "../../core/tasks/dataset/stream.ts"
import { rowsOf, SOURCE } from "./rows.ts"

export type { SqlClient } from "effect/sql/SqlClient"
export { rowsOf } from "./rows.ts"

/** Options of rows from a database: those that are not about files. */
export type QueryOptions = Pick<DatasetOptions, "labels" | "numbers">
/** Options of streamed rows from a database. */
export type QueryStreamOptions = Pick<StreamOptions, "labels" | "numbers" | "window">

/**
 * The rows of a query in memory.
 *
 * Fails with DataError: `Unreadable` for a query that fails, with the place in it that the database names; and as
 * `Dataset.file`, with rows counted in the order of the result.
 */
export const query = <const C extends Columns>(
  statement: string,
  columns: C,
  options: QueryOptions = {},
): Effect.Effect<DataOf<C>, DataError, SqlClient> =>
  Effect.flatMap(SqlClient, (client) => dataOfChunks(rowsOf(client, statement), SOURCE, columns, options))

/**
 * The rows of a query, read while a model trains. Each pass runs the query anew, and so does a resumed run, which checks that the
 * rows are the same: order them (`ORDER BY`). Fails as {@link query}, and as `Dataset.stream`.
 */
export const stream = <const C extends Columns>(
  statement: string,
  columns: C,
  options: QueryStreamOptions = {},
): Effect.Effect<StreamedData<RowOf<DataOf<C>>>, DataError, SqlClient> =>
  Effect.flatMap(SqlClient, (client) => streamOfChunks(rowsOf(client, statement), SOURCE, columns, options))
