/**
 * SQLite databases: Effect's `SqlClient` over `node:sqlite`, which Deno and Node from 22.5 on have, and a reader of database
 * files.
 *
 * ```ts
 * import { Dataset } from "@espalier/espalier"
 * import { sqlite } from "@espalier/espalier/sqlite"
 *
 * const query = "SELECT body, stars FROM reviews"
 * export const reviews = Dataset.file("reviews.db", { text: "body", label: "stars" }, { query, readers: [sqlite()] })
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { DataError, quoted } from "../../core/data/data_error.ts"
import type { Reader } from "../../core/data/readers/reader.ts"
import { rowsOf } from "../sql/mod.ts"
import { client } from "./client.ts"

export { layer } from "./client.ts"
export type { Chunk, OpenOptions, Reader } from "../../core/data/readers/reader.ts"

/** Every SQLite database begins so. */
const MAGIC = "SQLite format 3\0"

/**
 * Reads the rows of a query (option `query`) from an SQLite database, which is not changed. Whole numbers keep all digits.
 *
 * Fails with DataError: `BadInput` without a query, with the names of the tables; `Unreadable` for a query that fails, with its
 * place, and for a runtime without `node:sqlite`.
 */
export const sqlite = (): Reader => ({
  name: "sqlite",
  extensions: ["db", "sqlite", "sqlite3"],
  detect: (start) => new TextDecoder("latin1").decode(start.subarray(0, MAGIC.length)) === MAGIC,
  open: ({ name }, { query }) =>
    query === undefined
      ? Effect.flatMap(tablesOf(name), (tables) =>
        new DataError({
          reason: "BadInput",
          message: `${name} is an SQLite database: give a query (option query), such as "SELECT .. FROM ${
            tables[0] ?? "table"
          }"; its tables are ${quoted(tables)}`,
        }))
      : Effect.succeed(opened(name, (sql) => rowsOf(sql, query))),
})

/** A stream that has the database open while it runs. */
const opened = <A>(
  file: string,
  use: (sql: Effect.Success<ReturnType<typeof client>>) => Stream.Stream<A, DataError>,
): Stream.Stream<A, DataError> => Stream.unwrap(Effect.map(client(file, { readOnly: true }), use))

const tablesOf = (file: string): Effect.Effect<ReadonlyArray<string>, DataError> =>
  Effect.map(
    Stream.runCollect(
      opened(file, (sql) => rowsOf(sql, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")),
    ),
    (chunks) => chunks.flatMap(({ rows }) => rows.map(({ name }) => String(name))),
  )
