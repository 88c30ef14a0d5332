import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, DataError } from "../data_error.ts"
import { readBytes } from "./read_bytes.ts"
import type { Format, ReadOptions } from "./read_options.ts"
import type { Table } from "./table.ts"

const formats: Readonly<Record<string, Format>> = {
  csv: "csv",
  tsv: "tsv",
  tab: "tsv",
  json: "json",
  jsonl: "jsonl",
  ndjson: "jsonl",
  txt: "text",
  text: "text",
}

/** The format that a path's extension stands for, `.gz` aside; undefined when it stands for none. */
export const formatOf = (path: string): Format | undefined =>
  formats[path.toLowerCase().replace(/\.gz$/, "").match(/\.([^./\\]+)$/)?.[1] ?? ""]

/**
 * Reads a table from a file (UTF-8, or UTF-16 where it shows; gzip is unpacked).
 *
 * Fails with a {@link DataError}: `NotFound`, `Unreadable` (another encoding, not text, damaged gzip), `UnknownFormat`,
 * `Malformed`, `Empty`.
 */
export const readTable = (
  path: string,
  options: ReadOptions = {},
): Effect.Effect<Table, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    // Pages load the readers when there is something to read.
    const { fileText, parseTable } = yield* Effect.promise(() => import("../readers/mod.ts"))
    const format = options.format ?? formatOf(path)
    const file = yield* readBytes(path).pipe(Effect.flatMap((bytes) => fileText(path, bytes, options.encoding)))
    if (format === undefined) {
      const known = Object.keys(formats).map((name) => `.${name}`).join(" ")
      const message =
        `${path}: the extension tells no format; known are ${known} (each also with .gz), or give { format }`
      return yield* new DataError({ reason: "UnknownFormat", message })
    }
    const table = yield* attempt(() => parseTable(file.text, path, format, options))
    return file.notes.length === 0 ? table : { ...table, notes: [...file.notes, ...table.notes ?? []] }
  })
