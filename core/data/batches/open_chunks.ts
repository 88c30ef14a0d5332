import * as Effect from "effect/Effect"
import type { Data, StreamedData } from "../data.ts"
import { attempt, DataError } from "../data_error.ts"
import type { Table } from "../table/table.ts"

/**
 * Makes a data set of tables that come while a model trains, anew for each pass; the first with rows is read at once, and its
 * reader's notes are the data set's. What a whole data set would have to show, such as missing cells, is not noted.
 *
 * @param map The rows of a table. Throws DataError.
 */
export const openChunks = (
  tables: AsyncIterable<Table>,
  source: string,
  map: (table: Table) => Data,
  window: number,
): Effect.Effect<StreamedData, DataError> =>
  Effect.gen(function* () {
    const told = new Set<string>()
    const tell = ({ notes = [] }: Table) => notes.forEach((note) => told.add(note))
    const first = yield* Effect.tryPromise({
      try: async () => {
        for await (const table of tables) {
          tell(table)
          if (table.rows.length > 0) return table
        }
        throw new DataError({ reason: "Empty", message: `${source} holds no rows` })
      },
      catch: (error) => error as DataError,
    })
    const { rows: _, notes: __, ...info } = yield* attempt(() => map(first))
    const chunks = {
      async *[Symbol.asyncIterator]() {
        for await (const table of tables) {
          tell(table)
          if (table.rows.length > 0) yield map(table).rows
        }
      },
    }
    return { ...info, ...told.size === 0 ? {} : { notes: [...told] }, chunks, window, told: () => [...told] }
  })
