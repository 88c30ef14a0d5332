/**
 * Reading safetensors: one file, or a model's directory with or without shards. Opening reads names and shapes alone;
 * tensors then come in pieces, so that they can go straight into a backend's memory.
 * @module
 */
import * as Effect from "effect/Effect"
import type { File } from "effect/FileSystem"
import { attempt } from "../../contracts/attempt.ts"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../files/file_system.ts"
import { openToRead } from "../files/open_to_read.ts"
import { readFully } from "../files/read_fully.ts"
import { listNames } from "./list_names.ts"
import { widenBF16, widenF16 } from "../../tensor/half_floats.ts"
import type { JsonError } from "../json/json_error.ts"
import { type ConfigReader, readConfig } from "../json/model_config.ts"
import { type PieceMemory, pieceMemory } from "../files/piece_memory.ts"
import { pathExists } from "../files/path_exists.ts"
import { SafetensorsError } from "./safetensors_error.ts"
import { elementCount, LENGTH_BYTES, parseHeader, parseHeaderLength, type TensorEntry } from "./safetensors_header.ts"
import { StorageError, toStorageError } from "../files/storage_error.ts"
import { isFloatDType } from "./stored_dtype.ts"

/** Elements of the pieces in which tensors are read: 1 MiB of 32-bit floats. */
const PIECE = 262_144

/** Tensors that are there to be read. */
export interface Checkpoint {
  /** The file or directory it was opened from. */
  readonly path: string
  /** The tensors by name. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Free texts of the files' headers; of shards, the last one's win. */
  readonly metadata: ReadonlyMap<string, string>
}

/**
 * Takes a piece of a tensor: `data` are elements `offset` and following. The array is used again for the next piece, so
 * it must have been copied or written when the promise resolves.
 */
export type TensorSink = (data: Float32Array<ArrayBuffer>, offset: number) => void | Promise<void>

/** Opens one safetensors file: checks all of its header, reads no tensor. */
export function openSafetensors(
  path: string,
): Effect.Effect<Checkpoint, SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.scoped(Effect.gen(function* () {
    const { file, size } = yield* openToRead(path)
    const prefix = new Uint8Array(Math.min(LENGTH_BYTES, size))
    const got = yield* readFully(file, prefix, 0, path)
    const length = yield* attempt(() => parseHeaderLength(prefix.subarray(0, got), size, path), SafetensorsError)
    const bytes = new Uint8Array(LENGTH_BYTES + length)
    const all = yield* readFully(file, bytes, 0, path)
    const header = yield* attempt(() => parseHeader(bytes.subarray(0, all), size, path), SafetensorsError)
    return { path, ...header }
  }))
}

/**
 * Opens a model's directory: `model.safetensors`, or the shards that `model.safetensors.index.json` names. Every shard
 * must be there and hold exactly the tensors that the index promises.
 */
export function openModel(
  directory: string,
): Effect.Effect<Checkpoint, SafetensorsError | StorageError | JsonError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const single = `${directory}/model.safetensors`
    const index = `${directory}/model.safetensors.index.json`
    if (yield* pathExists(single)) return { ...(yield* openSafetensors(single)), path: directory }
    if (!(yield* pathExists(index))) {
      const { explainWeights } = yield* Effect.promise(() => import("../json/model_directory.ts"))
      const message = `"${directory}" holds neither model.safetensors nor model.safetensors.index.json` +
        (yield* explainWeights(directory))
      return yield* new StorageError({ reason: "NotFound", path: directory, message })
    }
    const weightMap = yield* readWeightMap(yield* readConfig(index))
    const tensors = new Map<string, TensorEntry>()
    const metadata = new Map<string, string>()
    const unexpected: Array<string> = []
    const shards = new Set(weightMap.values())
    const lacking: Array<string> = []
    for (const shard of shards) if (!(yield* pathExists(`${directory}/${shard}`))) lacking.push(shard)
    if (lacking.length > 0) {
      const message = `"${directory}" lacks ${lacking.length} of ${shards.size} files that its index names` +
        listNames("not there", lacking) + "\nfetch the model again"
      return yield* new StorageError({ reason: "NotFound", path: `${directory}/${lacking[0]}`, message })
    }
    for (const shard of shards) {
      const opened = yield* openSafetensors(`${directory}/${shard}`)
      for (const [key, value] of opened.metadata) metadata.set(key, value)
      for (const [name, entry] of opened.tensors) {
        if (weightMap.get(name) === shard) tensors.set(name, entry)
        else unexpected.push(name)
      }
    }
    const missing = [...weightMap.keys()].filter((name) => !tensors.has(name))
    if (missing.length + unexpected.length > 0) {
      return yield* new SafetensorsError({
        reason: missing.length > 0 ? "Missing" : "Unexpected",
        file: index,
        message: `"${index}" and its shards disagree` + listNames("not in the shard named for them", missing) +
          listNames("in a shard that the index does not name for them", unexpected) + "\nfetch the model again",
      })
    }
    return { path: directory, tensors, metadata }
  })
}

function readWeightMap(index: ConfigReader): Effect.Effect<ReadonlyMap<string, string>, JsonError> {
  return index.decode((reader) => {
    const entries = reader.object("weight_map")
    const map = new Map<string, string>()
    for (const name of Object.keys(entries.record)) {
      const shard = entries.string(name)
      if (!/^[^/\\]+\.safetensors$/.test(shard)) throw entries.error(name, "a safetensors file beside the index")
      map.set(name, shard)
    }
    return map
  })
}

/**
 * Reads a tensor piece by piece, as 32-bit floats, at most 1 MiB of them at a time; F16 and BF16 widen exactly. Other
 * types are an error before anything is read. A tensor without elements gives no piece.
 *
 * @param memory Of the pieces, for those who read one tensor after another. Default: their own.
 */
export function readTensor(
  entry: TensorEntry,
  sink: TensorSink,
  memory?: PieceMemory,
): Effect.Effect<void, SafetensorsError | StorageError, FileSystem.FileSystem> {
  return readPieces([entry], (_, data, offset) => sink(data, offset), [memory ?? pieceMemory()])
}

/**
 * Reads tensors as {@link readTensor} does, two pieces at a time: one is read while the other is taken. Pieces come in
 * any order.
 */
export function readTensors(
  entries: ReadonlyArray<TensorEntry>,
  sink: (entry: TensorEntry, ...piece: Parameters<TensorSink>) => ReturnType<TensorSink>,
): Effect.Effect<void, SafetensorsError | StorageError, FileSystem.FileSystem> {
  return readPieces(entries, sink, [pieceMemory(), pieceMemory()])
}

/** Elements of a tensor that are read at a time. */
interface Piece {
  readonly entry: TensorEntry
  readonly offset: number
  readonly count: number
}

/** Pieces of whole rows, unless a row is larger than a piece. */
function* piecesOf(entries: ReadonlyArray<TensorEntry>): Generator<Piece> {
  for (const entry of entries) {
    const total = elementCount(entry.shape), width = entry.shape.at(-1) ?? 1
    const most = width > PIECE ? PIECE : PIECE - PIECE % width
    for (let offset = 0; offset < total; offset += most) {
      yield { entry, offset, count: Math.min(most, total - offset) }
    }
  }
}

/** @param lanes Memory of the pieces that are under way at a time. */
function readPieces(
  entries: ReadonlyArray<TensorEntry>,
  sink: Parameters<typeof readTensors>[1],
  lanes: ReadonlyArray<PieceMemory>,
): Effect.Effect<void, SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.scoped(Effect.gen(function* () {
    const fs = yield* fileSystem
    const files = new Map<string, File>()
    for (const { name, dtype, file: path } of entries) {
      if (!isFloatDType(dtype)) {
        const message = `"${path}": tensor ${
          JSON.stringify(name)
        } is ${dtype}; only F32, F16 and BF16 are read as weights`
        return yield* new SafetensorsError({ reason: "Dtype", file: path, message })
      }
      if (files.has(path)) continue
      files.set(path, yield* fs.open(path, { flag: "r" }).pipe(Effect.mapError(toStorageError(path, "read"))))
    }
    const largest = entries.reduce((most, { shape }) => Math.max(most, elementCount(shape)), 0)
    const pieces = piecesOf(entries)
    const lane = (memory: ArrayBuffer) =>
      Effect.gen(function* () {
        for (const piece of pieces) {
          const data = yield* readPiece(files.get(piece.entry.file)!, piece, memory)
          const { entry: { name, file: path }, offset } = piece
          yield* Effect.tryPromise({
            try: async () => await sink(piece.entry, data, offset),
            catch: (cause) => {
              const message = `tensor ${JSON.stringify(name)} of "${path}" could not be taken: ${
                cause instanceof Error ? cause.message : cause
              }`
              return new SafetensorsError({ reason: "Callback", file: path, message, cause })
            },
          })
        }
      })
    const bytes = 4 * Math.min(PIECE, largest)
    yield* Effect.all(lanes.map((memory) => lane(memory(bytes))), { concurrency: "unbounded", discard: true })
  }))
}

/** Whether two tensors of one shape hold the same numbers; of different shapes or types that are not read: not. */
export function sameTensor(
  a: TensorEntry,
  b: TensorEntry,
): Effect.Effect<boolean, SafetensorsError | StorageError, FileSystem.FileSystem> {
  if (`${a.shape}` !== `${b.shape}` || !isFloatDType(a.dtype) || !isFloatDType(b.dtype)) return Effect.succeed(false)
  return Effect.scoped(Effect.gen(function* () {
    const fs = yield* fileSystem
    const [one, other] = yield* Effect.all(
      [a, b].map(({ file }) => fs.open(file, { flag: "r" }).pipe(Effect.mapError(toStorageError(file, "read")))),
    )
    const memory = [0, 1].map(() => new ArrayBuffer(4 * Math.min(PIECE, elementCount(a.shape))))
    for (const piece of piecesOf([a])) {
      const mine = yield* readPiece(one, piece, memory[0])
      const theirs = yield* readPiece(other, { ...piece, entry: b }, memory[1])
      if (mine.some((value, i) => value !== theirs[i])) return false
    }
    return true
  }))
}

/** Reads a piece into the beginning of `memory`. */
function readPiece(
  file: File,
  { entry: { name, dtype, file: path, byteOffset }, offset, count }: Piece,
  memory: ArrayBuffer,
): Effect.Effect<Float32Array<ArrayBuffer>, SafetensorsError | StorageError> {
  return Effect.gen(function* () {
    const width = dtype === "F32" ? 4 : 2
    // Narrow elements are read into the upper half and widened towards the front: one buffer serves both.
    const from = (4 - width) * count
    const bytes = new Uint8Array(memory, from, width * count)
    const got = yield* readFully(file, bytes, byteOffset + width * offset, path)
    if (got < bytes.length) {
      const message = `"${path}" ended within tensor ${JSON.stringify(name)}: has the file changed since it was opened?`
      return yield* new SafetensorsError({ reason: "Truncated", file: path, message })
    }
    if (dtype === "F16") widenF16(new Uint16Array(memory, from, count), new Uint32Array(memory, 0, count))
    if (dtype === "BF16") widenBF16(new Uint16Array(memory, from, count), new Uint32Array(memory, 0, count))
    return new Float32Array(memory, 0, count)
  })
}
