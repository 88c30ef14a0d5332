/**
 * A reader of Parquet files, by hyparquet: a row group at a time, and only the columns that are needed.
 *
 * ```ts
 * import { Dataset } from "@espalier/espalier"
 * import { parquet } from "@espalier/espalier/parquet"
 *
 * const readers = [parquet()]
 * export const reviews = Dataset.file("reviews.parquet", { text: "review", label: "stars" }, { readers })
 * export const endless = Dataset.stream("texts.parquet", { text: "text" }, { readers })
 * ```
 *
 * @module
 */
import type { Reader } from "../../core/data/readers/reader.ts"
import { openParquet } from "./open_parquet.ts"

export type { Chunk, OpenOptions, Reader } from "../../core/data/readers/reader.ts"
export type { Source } from "../../core/data/table/source.ts"
export type { TextOptions } from "../../core/data/table/text_options.ts"
export type { Row, Table } from "../../core/data/table/table.ts"
export type { DataError, DataErrorFields } from "../../core/data/data_error.ts"

/** Every Parquet file begins with these bytes. */
const MAGIC = "PAR1"

/**
 * Reads Parquet files with any of the usual compressions (Snappy, gzip, Brotli, Zstandard, LZ4).
 *
 * Values keep every digit: integers of 64 bits are bigints; decimals are text with all places of their scale; dates, times and
 * timestamps are text in ISO 8601 with as many digits as there are, a timestamp with "Z" where it counts from UTC; an interval
 * is an ISO 8601 duration. Lists, structs and maps are lists and objects; JSON is parsed. Bytes without the annotation of a
 * text stay bytes, which no text column takes.
 *
 * Fails with DataError: `MissingColumn`; `Malformed` for a column that is nested or holds bytes where text is wanted, and for
 * text that is not UTF-8; `Unreadable` for a file that is not whole, is encrypted, or has a compression that is not known.
 */
export const parquet = (): Reader => ({
  name: "parquet",
  extensions: ["parquet", "pq"],
  detect: (start) => new TextDecoder().decode(start.subarray(0, 4)) === MAGIC,
  open: openParquet,
})
