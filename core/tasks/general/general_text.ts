/**
 * Plain text on which a language model is judged before and after: what a fine-tuning costs elsewhere.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Data } from "../../data/data.ts"
import { attempt, type DataError } from "../../data/data_error.ts"
import { readTable } from "../../data/table/read_table.ts"
import { type Table, tableOf } from "../../data/table/table.ts"
import { TEXT_COLUMN } from "../../data/table/text_options.ts"
import type { TextRow } from "../causal_lm.ts"
import { mapColumns } from "../dataset/map_columns.ts"

/** Most characters that are read: about a thousand tokens of English. */
const MOST = 4096

const paragraphs: Effect.Effect<Table> = Effect.map(
  Effect.promise(() => import("./paragraphs.ts")),
  ({ PARAGRAPHS }) => tableOf(PARAGRAPHS.map((text) => ({ [TEXT_COLUMN]: text })), "general text"),
)

/**
 * Twelve paragraphs of general English, or the first 4,096 characters of a file in whole lines, at least one. Given to
 * `Trainer.fit` as old rows, they say what a run forgets: `retain: { "general text": yield* generalText() }`.
 *
 * @param path A plain text file, a document a line. Default: paragraphs of this package, under its licence.
 */
export const generalText = (path?: string): Effect.Effect<Data<TextRow>, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const table = yield* path === undefined ? paragraphs : readTable(path, { format: "text" })
    const data = yield* attempt(() => mapColumns(table, { text: TEXT_COLUMN }, {}))
    let characters = 0
    return { ...data, rows: data.rows.filter(({ text }, i) => (characters += text.length) <= MOST || i === 0) }
  })
