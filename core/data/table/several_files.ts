import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"
import { fileSystem } from "../../formats/files/file_system.ts"
import { DataError, quoted } from "../data_error.ts"
import type { Chunk } from "../readers/reader.ts"

/** A file that has been opened, and the rows of the files before it. */
interface Begun {
  readonly name: string
  readonly before: number
}

/** A path, and whether it may be a pattern. */
export interface GivenPath {
  readonly path: string
  readonly mayMatch: boolean
}

/** Checks the columns of a file; says whether all must have those of the first. Throws DataError. */
export type CheckColumns = (source: string, columns: ReadonlyArray<string>) => boolean

/** Opens a file: a part of what is read together. */
type Open = (path: string) => Effect.Effect<Stream.Stream<Chunk, DataError>, DataError, FileSystem.FileSystem>

/** Opens several files as one stream. Rows are counted over all files; {@link Table.locate} says where a row is. */
export const openSeveral = (
  paths: ReadonlyArray<GivenPath>,
  openFile: Open,
  check: CheckColumns,
): Effect.Effect<Stream.Stream<Chunk, DataError>, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const names = yield* filesOf(paths)
    const files = yield* Effect.service(fileSystem)
    const open = (name: string) => Effect.provideService(openFile(name), fileSystem, files)
    // A first file that cannot be opened is an error here, not within the stream.
    const first = yield* open(names[0])
    const opened = (name: string) => name === names[0] ? first : Effect.runPromise(open(name))
    return Stream.suspend(() => Stream.fromAsyncIterable(chunksOf(names, opened, check), (error) => error as DataError))
  })

/** The chunks of files one after the other, with rows that are counted over all of them. Throws DataError. */
async function* chunksOf(
  names: ReadonlyArray<string>,
  opened: (name: string) => Stream.Stream<Chunk, DataError> | Promise<Stream.Stream<Chunk, DataError>>,
  check: CheckColumns,
): AsyncGenerator<Chunk> {
  const begun: Array<Begun> = []
  const locate = (row: number) => located(begun, row)
  let rows = 0
  let first: { readonly name: string; readonly columns: ReadonlyArray<string> } | undefined
  for (const name of names) {
    for await (const chunk of Stream.toAsyncIterable(await opened(name))) {
      const columns = chunk.columns ?? [...new Set(chunk.rows.flatMap(Object.keys))]
      if (begun.at(-1)?.name !== name) {
        if (check(name, columns) && first !== undefined) checkAlike(name, columns, first)
        begun.push({ name, before: rows })
        first ??= { name, columns }
      }
      const before = rows
      rows += chunk.rows.length
      yield { ...chunk, columns, unit: "row", places: chunk.rows.map((_, i) => before + i + 1), locate }
    }
  }
}

/** Where a row is: `"row 1204 is row 204 of part-2.jsonl"`. */
const located = (begun: ReadonlyArray<Begun>, row: number): string => {
  const file = begun.findLast(({ before }) => before < row) ?? begun[0]
  return `row ${row} is row ${row - file.before} of ${file.name}`
}

/** Checks the columns of a file beside those of the first one. @throws DataError `MissingColumn` */
const checkAlike = (
  source: string,
  columns: ReadonlyArray<string>,
  first: { readonly name: string; readonly columns: ReadonlyArray<string> },
): void => {
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
const filesOf = (
  paths: ReadonlyArray<GivenPath>,
): Effect.Effect<ReadonlyArray<string>, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* Effect.service(fileSystem)
    const isFile = (path: string) =>
      files.stat(path).pipe(Effect.map(({ type }) => type === "File"), Effect.orElseSucceed(() => false))
    const matching = (pattern: string) =>
      files.glob(pattern).pipe(
        Effect.mapError((cause) =>
          new DataError({ reason: "Unreadable", message: `${pattern}: ${cause.message}`, cause })
        ),
        Effect.flatMap((found) => Effect.forEach(found, (path) => Effect.map(isFile(path), (is) => is ? [path] : []))),
        Effect.map((found) => found.flat()),
      )
    if (paths.length === 0) {
      return yield* new DataError({ reason: "BadInput", message: "no path is given: name a file, several, or a glob" })
    }
    const all = yield* Effect.forEach(paths, ({ path, mayMatch }) =>
      Effect.gen(function* () {
        if (!mayMatch || (yield* isFile(path))) return [path]
        const found = yield* matching(path)
        if (found.length > 0) return found
        const message =
          `${path} matches no file: it is a pattern, where * stands for any characters of a name and ** for ` +
          "any folders; check the folder and the extension"
        return yield* new DataError({ reason: "NotFound", message })
      }))
    return [...new Set(all.flat())]
  })
