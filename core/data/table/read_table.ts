import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Stream from "effect/Stream"
import { attempt, type DataError } from "../data_error.ts"
import type { Chunk } from "../readers/reader.ts"
import { checkColumns } from "./check_columns.ts"
import { checkOptions } from "./check_options.ts"
import { openFile, type Wanted } from "./open_file.ts"
import { maySeveral, type Paths, pathsName } from "./paths.ts"
import { READ_OPTIONS, type ReadOptions } from "./read_options.ts"
import type { Table } from "./table.ts"

/**
 * Opens files as a stream of chunks of rows: those of one file after the other. `wanted`: columns that are read; default:
 * all. Fails as {@link readTable}.
 */
export const openTable = (
  paths: Paths,
  options: ReadOptions = {},
  wanted: Wanted = {},
): Effect.Effect<Stream.Stream<Chunk, DataError>, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    yield* attempt(() => checkOptions(options, READ_OPTIONS))
    if (!maySeveral(paths)) return yield* openFile(paths as string, options, wanted)
    const { openSeveral } = yield* Effect.promise(() => import("../readers/mod.ts"))
    const given = (typeof paths === "string" ? [paths] : paths).map((path) => ({ path, mayMatch: maySeveral(path) }))
    return yield* openSeveral(given, (path) => openFile(path, options, wanted), (source, columns) => {
      checkColumns({ source, columns, rows: [], places: [], unit: "row" }, wanted.columns ?? [])
      return wanted.columns === undefined
    })
  })

/**
 * Reads files into a table. Text is UTF-8, or UTF-16 where it shows; gzip is unpacked. `wanted`: columns that are read;
 * default: all. Rows of several files are counted over all of them.
 *
 * Fails with a {@link DataError}: `NotFound`, `Unreadable` (another encoding, not text, damaged gzip), `UnknownFormat`,
 * `Malformed`, `Empty`; `MissingColumn` where one of several files has other columns.
 */
export const readTable = (
  paths: Paths,
  options: ReadOptions = {},
  wanted: Wanted = {},
): Effect.Effect<Table, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { collect } = yield* Effect.promise(() => import("../readers/mod.ts"))
    return yield* collect(yield* openTable(paths, options, wanted), pathsName(paths))
  })
