import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, DataError } from "./data_error.ts"
import { type Format, parseTable, type ReadOptions } from "./parse_table.ts"
import { decodeUtf8, readBytes } from "./read_bytes.ts"
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
 * Reads a table from a file (UTF-8, `.gz` unpacked).
 *
 * Fails with a {@link DataError}: `NotFound`, `Unreadable` (not UTF-8, damaged gzip), `UnknownFormat`, `Malformed`, `Empty`.
 */
export const readTable = (
  path: string,
  options: ReadOptions = {},
): Effect.Effect<Table, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const format = options.format ?? formatOf(path)
    if (format === undefined) {
      const known = Object.keys(formats).map((name) => `.${name}`).join(" ")
      const message =
        `${path}: the extension tells no format; known are ${known} (each also with .gz), or give { format }`
      return yield* new DataError({ reason: "UnknownFormat", message })
    }
    const bytes = yield* readBytes(path)
    const plain = path.toLowerCase().endsWith(".gz") ? yield* gunzip(path, bytes) : bytes
    return yield* attempt(() => parseTable(decodeUtf8(path, plain), path, format, options))
  })

const gunzip = (path: string, bytes: Uint8Array): Effect.Effect<Uint8Array, DataError> =>
  Effect.tryPromise({
    try: async () => {
      const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip"))
      return new Uint8Array(await new Response(stream).arrayBuffer())
    },
    catch: (cause) => new DataError({ reason: "Unreadable", message: `${path} is not a whole gzip file`, cause }),
  })
