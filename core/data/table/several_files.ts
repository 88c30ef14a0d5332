import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { fileSystem } from "../../formats/files/file_system.ts"
import { attempt, DataError, quoted } from "../data_error.ts"
import type { Chunk } from "../readers/reader.ts"
import { checkColumns } from "./check_columns.ts"
import { openFile, type Wanted } from "./open_file.ts"
import { maySeveral, type Paths } from "./paths.ts"
import type { ReadOptions } from "./read_options.ts"

/** A file that has been opened, and the rows of the files before it. */
interface Begun {
  readonly name: string
  readonly before: number
}

/** Opens several files as one stream. Rows are counted over all files; {@link Table.locate} says where a row is. */
export const openSeveral = (
  paths: Paths,
  options: ReadOptions,
  wanted: Wanted,
): Effect.Effect<Stream.Stream<Chunk, DataError>, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const names = yield* filesOf(paths)
    const files = yield* Effect.service(fileSystem)
    const open = (name: string) => Effect.provideService(openFile(name, options, wanted), fileSystem, files)
    // A first file that cannot be opened is an error here, not within the stream.
    const first = yield* open(names[0])
    return Stream.suspend(() => {
      const begun: Array<Begun> = []
      let rows = 0
      let columns: ReadonlyArray<string> | undefined
      const locate = (row: number) => located(begun, row)
      const counted = (name: string, chunk: Chunk): Chunk => {
        const own = chunk.columns ?? [...new Set(chunk.rows.flatMap(Object.keys))]
        if (begun.at(-1)?.name !== name) {
          checkAlike(name, own, wanted, columns === undefined ? undefined : { name: names[0], columns })
          begun.push({ name, before: rows })
          columns ??= own
        }
        const before = rows
        rows += chunk.rows.length
        return { ...chunk, columns: own, unit: "row", places: chunk.rows.map((_, i) => before + i + 1), locate }
      }
      return Stream.fromIterable(names).pipe(
        Stream.flatMap((name) =>
          Stream.mapEffect(
            name === names[0] ? first : Stream.unwrap(open(name)),
            (chunk) => attempt(() => counted(name, chunk)),
          )
        ),
      )
    })
  })

/** Where a row is: `"row 1204 is row 204 of part-2.jsonl"`. */
const located = (begun: ReadonlyArray<Begun>, row: number): string => {
  const file = begun.findLast(({ before }) => before < row) ?? begun[0]
  return `row ${row} is row ${row - file.before} of ${file.name}`
}

/** Checks the columns of a file beside those of the first one. @throws DataError `MissingColumn` */
const checkAlike = (
  source: string,
  columns: ReadonlyArray<string>,
  { columns: wanted }: Wanted,
  first: { readonly name: string; readonly columns: ReadonlyArray<string> } | undefined,
): void => {
  if (wanted !== undefined) return checkColumns({ source, columns, rows: [], places: [], unit: "row" }, wanted)
  if (first === undefined) return
  const [lacks, has] = [
    first.columns.filter((name) => !columns.includes(name)),
    columns.filter((name) => !first.columns.includes(name)),
  ]
  if (lacks.length + has.length === 0) return
  const what = [
    ...lacks.length === 0 ? [] : [`has no column ${quoted(lacks)}`],
    ...has.length === 0 ? [] : [`has a column ${quoted(has)} of its own`],
  ]
  const message = `${source} ${
    what.join(" and ")
  }, unlike ${first.name}: files that are read together have the same columns`
  throw new DataError({ reason: "MissingColumn", message })
}

/** The files of paths and globs, each once. A file whose name has such characters is taken as it is. */
const filesOf = (paths: Paths): Effect.Effect<ReadonlyArray<string>, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* Effect.service(fileSystem)
    const isFile = (path: string) =>
      files.stat(path).pipe(Effect.map(({ type }) => type === "File"), Effect.orElseSucceed(() => false))
    const matching = (pattern: string) =>
      files.glob(pattern).pipe(
        Effect.mapError((cause) =>
          new DataError({ reason: "Unreadable", message: `${pattern}: ${cause.message}`, cause })
        ),
        Effect.flatMap((found) => Effect.filter(found, isFile)),
      )
    const given = typeof paths === "string" ? [paths] : paths
    if (given.length === 0) {
      return yield* new DataError({ reason: "BadInput", message: "no path is given: name a file, several, or a glob" })
    }
    const all = yield* Effect.forEach(given, (path) =>
      Effect.gen(function* () {
        if (!maySeveral(path) || (yield* isFile(path))) return [path]
        const found = yield* matching(path)
        if (found.length > 0) return found
        const message =
          `${path} matches no file: it is a pattern, where * stands for any characters of a name and ** for ` +
          "any folders; check the folder and the extension"
        return yield* new DataError({ reason: "NotFound", message })
      }))
    return [...new Set(all.flat())]
  })
