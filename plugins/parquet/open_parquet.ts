import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet"
import { attempt, DataError, rowsError } from "../../core/data/data_error.ts"
import { parseJsonValue } from "../../core/data/readers/json/json_value.ts"
import type { Chunk, Reader } from "../../core/data/readers/reader.ts"
import { checkColumns } from "../../core/data/table/check_columns.ts"
import type { Source } from "../../core/data/table/source.ts"
import { checkTexts, isReadable } from "./columns.ts"
import { exactOf, physical } from "./values.ts"

/** Opens a file: its footer is read, and the wanted columns are checked. */
export const openParquet: Reader["open"] = (source, { columns, texts = [] }) =>
  Effect.gen(function* () {
    const file = bufferOf(source, yield* source.size)
    const metadata = yield* reading(source, () => parquetMetadataAsync(file, { geoparquet: false }))
    const fields = parquetSchema(metadata).children
    const names = fields.map(({ element: { name } }) => name)
    const table = { source: source.name, columns: names, rows: [], places: [], unit: "row" } as const
    yield* attempt(() => checkColumns(table, columns ?? []))
    yield* attempt(() => checkTexts(source.name, fields, columns ?? [], texts))
    const wanted = fields.filter((field) => columns?.includes(field.element.name) ?? isReadable(field))
    const left = columns === undefined
      ? names.filter((name) => !wanted.some(({ element }) => element.name === name))
      : []
    const compressors = yield* compressorsOf(source, metadata)
    const converted = wanted.flatMap((field) => {
      const exact = exactOf(field)
      return exact === undefined ? [] : [[field.element.name, exact] as const]
    })
    const options = {
      file,
      metadata: { ...metadata, schema: metadata.schema.map(physical) },
      columns: wanted.map(({ element: { name } }) => name),
      compressors,
      geoparquet: false,
      utf8: false,
      parsers: PARSERS,
    }
    const notes = left.length === 0 ? [] : [`${source.name}: left out, since they cannot be read: ${left.join(", ")}`]
    const chunkOf = ([rowStart, rowEnd]: RowGroup): Effect.Effect<Chunk, DataError> =>
      Effect.flatMap(
        reading(source, () => parquetReadObjects({ ...options, rowStart, rowEnd })),
        (rows) =>
          attempt(() => {
            convert(rows, converted, source.name, rowStart)
            return { rows, columns: names, notes: rowStart === 0 ? notes : [] }
          }),
      )
    return Stream.fromIterable(rowGroups(metadata)).pipe(Stream.mapEffect(chunkOf))
  })

/** A text that is no UTF-8 stays bytes, and is an error where it is looked at: here its column and row are not known. */
const textFromBytes = (bytes: Uint8Array | undefined): string | Uint8Array | undefined => {
  try {
    return bytes && UTF8.decode(bytes)
  } catch {
    return bytes
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** What hyparquet does itself: texts, and JSON with all digits. */
const PARSERS = {
  stringFromBytes: textFromBytes,
  jsonFromBytes: (bytes: Uint8Array | undefined): unknown => {
    const text = textFromBytes(bytes)
    return typeof text === "string" ? parseJsonValue(text) : text
  },
}

type RowGroup = readonly [start: number, end: number]

/** The first row of each row group, and the one after its last. */
const rowGroups = ({ row_groups: groups }: FileMetaData): ReadonlyArray<RowGroup> => {
  let start = 0
  return groups.map(({ num_rows: rows }): RowGroup => [start, start += Number(rows)]).filter(([from, to]) => from < to)
}

/** Puts exact values into rows. @throws DataError that names the column and all rows of the group at fault. */
const convert = (
  rows: ReadonlyArray<Record<string, unknown>>,
  columns: ReadonlyArray<readonly [name: string, exact: (value: unknown) => unknown]>,
  source: string,
  before: number,
): void => {
  for (const [name, exact] of columns) {
    const faults: Array<number> = []
    let what = ""
    rows.forEach((row, index) => {
      try {
        row[name] = exact(row[name])
      } catch (cause) {
        what ||= (cause as Error).message
        faults.push(before + index + 1)
      }
    })
    if (faults.length > 0) {
      throw rowsError("Malformed", { source, unit: "row" }, faults, `, column ${JSON.stringify(name)}: ${what}`)
    }
  }
}

/** What the file is packed with. The code is loaded where the file needs it. */
const compressorsOf = (source: Source, metadata: FileMetaData): Effect.Effect<Compressors, DataError> =>
  Effect.gen(function* () {
    const codecs = metadata.row_groups.flatMap(({ columns }) =>
      columns.flatMap(({ meta_data }) => meta_data?.codec ?? [])
    )
    const further = [...new Set(codecs)].filter((codec) => codec !== "UNCOMPRESSED" && codec !== "SNAPPY")
    if (further.length === 0) return {}
    const { compressors } = yield* Effect.promise(() => import("hyparquet-compressors"))
    const unknown = further.filter((codec) => compressors[codec] === undefined)
    if (unknown.length === 0) return compressors
    const message = `${source.name} is packed with ${
      unknown.join(", ")
    }, which cannot be read: write it with zstd or snappy`
    return yield* new DataError({ reason: "Unreadable", message })
  })

/** The source as hyparquet reads it: the footer, then the pages of the columns. */
const bufferOf = ({ part }: Source, byteLength: number): AsyncBuffer => ({
  byteLength,
  slice: async (start, end = byteLength) => (await Effect.runPromise(part(start, end - start))).slice().buffer,
})

const reading = <A>({ name }: Source, run: () => Promise<A>): Effect.Effect<A, DataError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      cause instanceof DataError ? cause : new DataError({
        reason: "Unreadable",
        message: `${name} cannot be read as Parquet: ${cause instanceof Error ? cause.message : cause}`,
        cause,
      }),
  })
