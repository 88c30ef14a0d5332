import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, type DataError } from "../../core/data/data_error.ts"
import type { Data } from "../../core/data/data.ts"
import type { Table } from "../../core/data/table/table.ts"
import type { ResolvedData } from "../../core/run/mod.ts"
import { readTable } from "../../core/data/table/read_table.ts"
import { mapColumns } from "../../core/tasks/map_columns.ts"
import { columns } from "./columns.ts"
import { formOf } from "./forms.ts"
import { load } from "./load_template.ts"

/**
 * The rows of a run's data. They are chats where a column of messages is named; where prompt and completion are lists of
 * messages; and where no column is named, the default ones are not there, and those of chats are.
 *
 * @param model Where the chat template is, unless the run names another.
 */
export const rowsOf = (
  { path, columns: named, chat, reading }: Pick<ResolvedData, "path" | "columns" | "chat" | "reading">,
  model: string,
): Effect.Effect<Data, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { labels: _, numbers: __, ...how } = reading
    const table = yield* readTable(path, how)
    const isNamed = "messages" in named
    if (!isNamed && !holdsChats(table, named, chat.possible)) {
      return yield* attempt(() => mapColumns(table, named, reading))
    }
    const { turns, template } = chat
    const found = yield* load(model, template === undefined ? {} : { template })
    const reader = columns(found, { ...isNamed ? named : {}, ...turns === undefined ? {} : { turns } })
    return yield* attempt(() => mapColumns(table, reader, reading))
  })

/** Whether chats are meant where no column of messages is named. */
const holdsChats = (table: Table, named: ResolvedData["columns"], possible: boolean): boolean => {
  const wanted = Object.values(named).filter((name): name is string => typeof name === "string")
  const isThere = wanted.every((name) => table.columns.includes(name))
  const isPair = wanted.join() === "prompt,completion" && Array.isArray(table.rows[0]?.prompt)
  return (isPair || (possible && !isThere)) && formOf(table) !== undefined
}
