import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { DataError } from "../../core/data/data_error.ts"
import type { Chunk } from "../../core/data/readers/reader.ts"
import { openTable } from "../../core/data/table/read_table.ts"
import type { Columns, ResolvedData } from "../../core/run/mod.ts"
import { columns } from "./columns.ts"
import { formOf } from "./forms.ts"
import { load } from "./load_template.ts"

/**
 * The columns of a run's data. They are those of chats where a column of messages is named; where prompt and completion are
 * lists of messages; and where no column is named, the default ones are not there, and those of chats are.
 *
 * @param model Where the chat template is, unless the run names another.
 */
export const columnsOf = (
  from: Pick<ResolvedData, "path" | "columns" | "chat" | "reading">,
  model: string,
): Effect.Effect<Columns, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { columns: named, chat: { turns, template } } = from
    const isNamed = "messages" in named
    if (!isNamed && !(yield* holdsChats(from))) return named
    const found = yield* load(model, template === undefined ? {} : { template })
    return columns(found, { ...isNamed ? named : {}, ...turns === undefined ? {} : { turns } })
  })

/** Whether chats are meant where no column of messages is named. The first rows tell; reading reports what is wrong with them. */
const holdsChats = ({ path, columns, chat, reading }: Parameters<typeof columnsOf>[0]) =>
  Effect.gen(function* () {
    const wanted = Object.values(columns).filter((name): name is string => typeof name === "string")
    const isPair = wanted.join() === "prompt,completion"
    if (!isPair && !chat.possible) return false
    const { labels: _, numbers: __, ...how } = reading
    const chunks = yield* openTable(path, how, { streamed: true })
    const { rows, columns: header } = Option.getOrElse(yield* Stream.runHead(chunks), (): Chunk => ({ rows: [] }))
    const names = header ?? Object.keys(rows[0] ?? {})
    const isThere = wanted.every((name) => names.includes(name))
    const fits = isPair ? Array.isArray(rows[0]?.prompt) : !isThere
    return fits && formOf({ columns: names, rows, source: "" }) !== undefined
  }).pipe(Effect.orElseSucceed(() => false))
