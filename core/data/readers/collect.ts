import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { DataError } from "../data_error.ts"
import { type Row, type Table, tableOf } from "../table/table.ts"
import type { Chunk } from "./reader.ts"

/** The table of a chunk that follows `before` rows. @throws DataError `Malformed` for rows that are not objects. */
const tableOfChunk = ({ rows, places, unit, ...rest }: Chunk, source: string, before: number): Table => ({
  ...tableOf(rows, source, places ?? rows.map((_, index) => before + index + 1), unit),
  ...rest,
  source,
})

/** The tables of a stream's chunks, one at a time, from the start each time. */
export const iterate = (chunks: Stream.Stream<Chunk, DataError>, source: string): AsyncIterable<Table> => ({
  async *[Symbol.asyncIterator]() {
    let before = 0
    for await (const chunk of Stream.toAsyncIterable(chunks)) {
      yield tableOfChunk(chunk, source, before)
      before += chunk.rows.length
    }
  },
})

/** All chunks of a stream as one table. Fails with DataError `Empty` where there is no row. */
export const collect = <E>(chunks: Stream.Stream<Chunk, E>, source: string): Effect.Effect<Table, E | DataError> =>
  Effect.flatMap(Stream.runCollect(chunks), (parts) => {
    let before = 0
    const tables = parts.map((part) => {
      const table = tableOfChunk(part, source, before)
      before += table.rows.length
      return table
    })
    if (before === 0) return new DataError({ reason: "Empty", message: `${source} holds no rows` })
    if (tables.length === 1) return Effect.succeed(tables[0])
    return Effect.succeed({
      ...tables[0],
      columns: [...new Set(tables.flatMap(({ columns }) => columns))],
      rows: tables.flatMap(({ rows }): ReadonlyArray<Row> => rows),
      places: tables.flatMap(({ places }) => places),
      notes: tables.flatMap(({ notes = [] }) => notes),
    })
  })
