/**
 * A reader from outside: Parquet by hyparquet, a row group at a time. Only the columns that are needed, and the row group
 * at work, are in memory.
 * @module
 */
import { DataError, type Dataset } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet"

/** Options of {@link parquet}. */
export interface ParquetOptions {
  /** Columns to read. Default: all. */
  readonly columns?: ReadonlyArray<string>
}

/** Every Parquet file begins with these bytes. */
const MAGIC = "PAR1"

/**
 * Reads Parquet files: `Dataset.file("a.parquet", columns, { readers: [parquet()] })`. Integers of 64 bits keep all digits,
 * dates become ISO 8601. Nested columns are lists and objects, which text columns refuse.
 *
 * Fails with DataError `Unreadable` for a file that is not whole or whose compression is not supported.
 */
export const parquet = ({ columns }: ParquetOptions = {}): Dataset.Reader => ({
  name: "parquet",
  extensions: ["parquet", "pq"],
  detect: (start) => new TextDecoder().decode(start.subarray(0, 4)) === MAGIC,
  open: (source) =>
    Effect.gen(function* () {
      const file = bufferOf(source, yield* source.size)
      const metadata = yield* attempt(source, () => parquetMetadataAsync(file))
      const names = parquetSchema(metadata).children.map(({ element: { name } }) => name)
      const wanted = columns ?? names
      const missing = wanted.filter((name) => !names.includes(name))
      if (missing.length > 0) {
        const message = `${source.name} has no column ${missing.join(", ")}; its columns are ${names.join(", ")}`
        return yield* new DataError({ reason: "MissingColumn", message })
      }
      const options = { file, metadata, columns: [...wanted] }
      return Stream.fromIterable(rowGroups(metadata)).pipe(Stream.mapEffect(([rowStart, rowEnd]) =>
        Effect.map(
          attempt(source, () => parquetReadObjects({ ...options, rowStart, rowEnd })),
          (rows): Dataset.Chunk => ({ rows, columns: wanted }),
        )
      ))
    }),
})

/** The source as hyparquet reads it: the footer, then the pages of the columns. */
const bufferOf = ({ part }: Dataset.Source, byteLength: number): AsyncBuffer => ({
  byteLength,
  slice: async (start, end = byteLength) => (await Effect.runPromise(part(start, end - start))).slice().buffer,
})

/** The first row of each row group, and the one after its last. */
const rowGroups = ({ row_groups: groups }: FileMetaData): ReadonlyArray<readonly [start: number, end: number]> => {
  let start = 0
  return groups.map(({ num_rows: rows }) => [start, start += Number(rows)])
}

const attempt = <A>({ name }: Dataset.Source, run: () => Promise<A>): Effect.Effect<A, DataError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new DataError({ reason: "Unreadable", message: `${name} cannot be read as Parquet: ${cause}`, cause }),
  })
