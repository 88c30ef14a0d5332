import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { DataError } from "../../core/data/data_error.ts"
import type { Chunk } from "../../core/data/readers/reader.ts"
import { openTable } from "../../core/data/table/read_table.ts"
import type { ResolvedData, ResolvedRun } from "../../core/run/mod.ts"
import { columns } from "./columns.ts"
import { formOf } from "./forms.ts"
import { load } from "./load_template.ts"

/**
 * A run whose data has the columns of chats, read through the model's template: where a column of messages is named; where
 * prompt and completion are lists of messages; and where no column is named, the default ones are not there, and those of
 * chats are. Other data stays as it is. Fails with DataError for a template that cannot be used, or none.
 */
export const prepared = (run: ResolvedRun): Effect.Effect<ResolvedRun, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { model: { path }, data, retain, replay } = run
    const all = (byName: Readonly<Record<string, ResolvedData>>) =>
      Effect.map(
        Effect.forEach(
          Object.entries(byName),
          ([name, own]) => Effect.map(withColumns(own, path), (own) => [name, own]),
        ),
        (entries): Readonly<Record<string, ResolvedData>> => Object.fromEntries(entries),
      )
    return {
      ...run,
      data: "one" in data ? { one: yield* withColumns(data.one, path) } : { several: yield* all(data.several) },
      retain: yield* all(retain),
      replay: yield* all(replay),
    }
  })

const withColumns = (
  from: ResolvedData,
  model: string,
): Effect.Effect<ResolvedData, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { turns, template, messages } = from.chat
    if (messages === undefined && !(yield* holdsChats(from))) return from
    const found = yield* load(model, template === undefined ? {} : { template })
    const named = { ...messages === undefined ? {} : { messages }, ...turns === undefined ? {} : { turns } }
    return { ...from, columns: columns(found, named) }
  })

/** Whether chats are meant where no column of messages is named. The first rows tell; reading reports what is wrong with them. */
const holdsChats = ({ path, columns, chat, reading }: ResolvedData) =>
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
