import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Stream from "effect/Stream"
import { DataError } from "../data_error.ts"
import { READERS } from "../readers/builtin.ts"
import type { Chunk, OpenOptions, Reader } from "../readers/reader.ts"
import type { Paths } from "./paths.ts"
import type { ReadOptions } from "./read_options.ts"
import { fileSource, type Source } from "./source.ts"
import type { TextOptions } from "./text_options.ts"

/** The columns that are read, and how. Default: all. */
export type Wanted = Omit<OpenOptions, keyof TextOptions>

/** Bytes that {@link Reader.detect} sees. */
const START = 512

const extensionOf = (path: string): string => path.toLowerCase().replace(/\.gz$/, "").match(/\.([^./\\]+)$/)?.[1] ?? ""

const byExtension = (path: string, readers: ReadonlyArray<Reader>): Reader | undefined =>
  readers.find(({ extensions }) => extensions.includes(extensionOf(path)))

/** The name of the format that a path's extension stands for, `.gz` aside; undefined when it stands for none. */
export const formatOf = (paths: Paths, readers: ReadonlyArray<Reader> = []): string | undefined =>
  byExtension(typeof paths === "string" ? paths : paths[0] ?? "", [...readers, ...READERS])?.name

/** The reader that is named, else the one that recognizes the content, else that of the extension. */
const readerOf = (source: Source, options: ReadOptions): Effect.Effect<Reader, DataError> =>
  Effect.gen(function* () {
    const { format, readers = [] } = options
    const all = [...readers, ...READERS]
    const fail = (message: string) => new DataError({ reason: "UnknownFormat", message })
    const named = all.find(({ name }) => name === format)
    if (named !== undefined) return named
    if (format !== undefined) {
      const names = all.map(({ name }) => name).join(", ")
      return yield* fail(`${source.name}: the format "${format}" is not known; known are ${names}`)
    }
    const detecting = readers.filter(({ detect }) => detect !== undefined)
    const start = detecting.length === 0 ? new Uint8Array() : yield* source.part(0, START)
    const found = detecting.find(({ detect }) => detect!(start)) ?? byExtension(source.name, all)
    if (found !== undefined) return found
    const { fileText } = yield* Effect.promise(() => import("../readers/mod.ts"))
    yield* fileText(source.name, yield* source.bytes, options.encoding)
    const known = all.flatMap(({ extensions }) => extensions.map((name) => `.${name}`)).join(" ")
    return yield* fail(
      `${source.name}: the extension tells no format; known are ${known} (each also with .gz), or give it (option format)`,
    )
  })

/** Opens one file. */
export const openFile = (
  path: string,
  options: ReadOptions,
  wanted: Wanted,
): Effect.Effect<Stream.Stream<Chunk, DataError>, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const source = yield* fileSource(path)
    return yield* (yield* readerOf(source, options)).open(source, { ...options, ...wanted })
  })
