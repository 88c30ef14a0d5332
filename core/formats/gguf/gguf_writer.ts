/**
 * Writing GGUF, version 3: streamed to a file that appears whole or not at all.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../contracts/attempt.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { bytesFor, type Encoding, inBlocks } from "../../../kernels/encoding.ts"
import { firstOverflow } from "../../../kernels/encodings.ts"
import type { StorageError } from "../files/storage_error.ts"
import { type WholeFileWriter, writeFileWith } from "../files/whole_file.ts"
import { padding } from "./byte_sink.ts"
import { GgufError } from "./gguf_error.ts"
import { encodeGgufHeader, tensorBytes } from "./gguf_header_writer.ts"
import type { GgufMetadata, GgufTensorInfo } from "./gguf_types.ts"

/** Elements of the pieces in which tensors are written; whole blocks of every encoding. */
const PIECE = 262_144

/** A tensor to be written, fetched piece by piece when its turn comes. */
export interface GgufTensorSource extends GgufTensorInfo {
  /**
   * Gives `count` elements from number `first` on, in row-major order and in whole blocks of the type: numbers, which the
   * type must have an encoder for, or bytes as the type keeps them.
   */
  readonly read: (first: number, count: number) => Float32Array | Uint8Array | Promise<Float32Array | Uint8Array>
}

/**
 * Writes a GGUF file, a piece of a tensor in memory at a time. Keys and tensors keep their order. On failure or
 * interruption nothing is left, and an older file of that name stays.
 *
 * @param mode Permissions of the file. Default 0o666.
 * @param check Looks at the file before it takes its place, as of `writeFileWith`. Default: nothing.
 */
export function writeGguf<E = never, R = never>(
  path: string,
  metadata: GgufMetadata,
  tensors: ReadonlyArray<GgufTensorSource>,
  mode?: number,
  check?: (temporary: string) => Effect.Effect<void, E, R>,
): Effect.Effect<void, GgufError | StorageError | E, FileSystem.FileSystem | R> {
  return Effect.gen(function* () {
    const header = yield* attempt(() => encodeGgufHeader(metadata, tensors, path), GgufError)
    yield* writeFileWith(
      path,
      (file) =>
        Effect.gen(function* () {
          yield* file.write(header.bytes)
          for (const tensor of tensors) {
            yield* writeTensor(file, tensor, path)
            yield* file.write(new Uint8Array(padding(tensorBytes(tensor), header.alignment)))
          }
        }),
      mode,
      check,
    )
  })
}

function writeTensor(file: WholeFileWriter, tensor: GgufTensorSource, path: string) {
  return Effect.gen(function* () {
    const size = sizeOf(tensor.shape)
    for (let first = 0; first < size; first += PIECE) {
      const count = Math.min(PIECE, size - first)
      const bytes = yield* Effect.tryPromise({
        try: async () => pieceBytes(tensor, await tensor.read(first, count), count, path),
        catch: (cause) => cause instanceof GgufError ? cause : sourceError(tensor.name, path, cause),
      })
      yield* file.write(bytes)
    }
  })
}

/** Bytes of a piece in the tensor's type. Throws where it has another length, or numbers that the type cannot hold. */
function pieceBytes(
  { name, type }: GgufTensorInfo,
  piece: Float32Array | Uint8Array,
  count: number,
  file: string,
): Uint8Array {
  const encoding = type.encoding as Encoding
  const expected = piece instanceof Uint8Array ? bytesFor(encoding, count) : count
  const fail = (reason: "Shape" | "Type" | "Value", what: string): never => {
    throw new GgufError({ reason, file, message: `"${file}": tensor ${JSON.stringify(name)} ${what}` })
  }
  if (piece.length !== expected) {
    const unit = piece instanceof Uint8Array ? "bytes" : "numbers"
    fail("Shape", `gives ${piece.length} ${unit} for ${count} elements of ${type.name}, not ${expected}`)
  }
  // A copy where the memory is shared, which not every file system call takes.
  if (piece instanceof Uint8Array) return piece.buffer instanceof ArrayBuffer ? piece : piece.slice()
  if (encoding.encode === undefined) {
    return fail("Type", `gives numbers, which nothing here encodes as ${type.name}: give bytes, or choose another type`)
  }
  const overflow = inBlocks(encoding) ? piece.findIndex((x) => !Number.isFinite(x)) : -1
  const beyond = overflow === -1 ? firstOverflow(encoding, piece) : overflow
  if (beyond !== -1) fail("Value", `holds ${piece[beyond]}, which ${type.name} cannot hold: write another type`)
  const bytes = new Uint8Array(expected / encoding.block * encoding.blockBytes)
  encoding.encode(piece, bytes)
  return bytes
}

function sourceError(name: string, file: string, cause: unknown): GgufError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const message = `tensor ${JSON.stringify(name)} for "${file}" could not be had: ${why}`
  return new GgufError({ reason: "Callback", file, message, cause })
}
