import type { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { DataError } from "../../core/data/data_error.ts"
import type { Chunk } from "../../core/data/readers/reader.ts"
import type { Row } from "../../core/data/table/table.ts"
import { failureOf } from "./failure.ts"

/** The name of the rows in messages. */
export const SOURCE = "query"

/** Rows of a chunk. */
const ROWS = 1024

/** The rows of a query as they come. Fails with DataError `Unreadable`, with the query's place. */
export const rowsOf = (client: SqlClient, statement: string): Stream.Stream<Chunk, DataError> =>
  client.unsafe<Row>(statement).stream.pipe(
    Stream.grouped(ROWS),
    Stream.map((rows): Chunk => ({ rows })),
    Stream.mapError((error) =>
      new DataError({ reason: "Unreadable", message: failureOf(statement, error), cause: error })
    ),
  )
