import * as Effect from "effect/Effect"
import { attempt, DataError } from "../data_error.ts"
import { type DecodedText, decodeText } from "./decode_text.ts"
import { fileKind, isPage } from "./file_kind.ts"

/** A file's bytes, unpacked if they are gzip, whatever the name says. Fails for a kind of file that is not text. */
const plainBytes = (path: string, bytes: Uint8Array): Effect.Effect<Uint8Array, DataError> =>
  Effect.gen(function* () {
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b
    const plain = packed ? yield* gunzip(path, bytes) : bytes
    yield* attempt(() => checkText(path, plain))
    return plain
  })

/** Throws a {@link DataError} for bytes that are those of no text file. */
export const checkText = (path: string, bytes: Uint8Array): void => {
  const kind = fileKind(bytes)
  if (kind === undefined) return
  throw new DataError({ reason: "Unreadable", message: `${path} is no text file but ${kind}` })
}

/** The text of a file's bytes. */
export const fileText = (path: string, bytes: Uint8Array, encoding?: string): Effect.Effect<DecodedText, DataError> =>
  Effect.gen(function* () {
    const plain = yield* plainBytes(path, bytes)
    const decoded = yield* attempt(() => decodeText(path, plain, encoding))
    if (!isPage(decoded.text) || /\.te?xt(?:\.gz)?$/i.test(path)) return decoded
    const message = `${path} is a page of the web, not the file itself: fetch it anew from the address of the raw file`
    return yield* new DataError({ reason: "Unreadable", message })
  })

const gunzip = (path: string, bytes: Uint8Array): Effect.Effect<Uint8Array, DataError> =>
  Effect.tryPromise({
    try: async () => {
      const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip"))
      return new Uint8Array(await new Response(stream).arrayBuffer())
    },
    catch: (cause) => notOneGzip(path, cause),
  })

export const notOneGzip = (path: string, cause: unknown): DataError =>
  new DataError({
    reason: "Unreadable",
    message: `${path} is not one whole gzip file; if several were joined, unpack it and pack it anew`,
    cause,
  })
