import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { type BlockEncoding, inBlocks } from "../../../../kernels/encoding.ts"
import { encodingOf, firstOverflow } from "../../../../kernels/encodings.ts"
import { BackendError } from "../../../backend/backend_error.ts"
import { GgufError } from "../../../formats/gguf/gguf_error.ts"
import { StorageError } from "../../../formats/files/storage_error.ts"
import type { PieceMemory } from "../../../formats/files/piece_memory.ts"
import { readTensor, readTensors } from "../../../formats/safetensors/checkpoint.ts"
import { SafetensorsError } from "../../../formats/safetensors/safetensors_error.ts"
import type { TensorEntry } from "../../../formats/safetensors/safetensors_header.ts"
import type { EncodedWeight, Model, ModelParameter } from "../../model.ts"
import { decoded } from "../../../backend/slots/slots.ts"
import { piecesOfRows } from "../../../weights/packed_rows.ts"
import type { StoredTensor } from "../../../weights/stored_tensor.ts"
import { ModelError } from "../../model_error.ts"
import { type EncoderMemory, encoderMemory, encodeWeight } from "./encode_weight.ts"
import type { FromFile } from "../initial_values.ts"
import { writePacked } from "./write_packed.ts"

const ERRORS = [ModelError, SafetensorsError, GgufError, StorageError, BackendError] as const
type WriteError = InstanceType<typeof ERRORS[number]>

/**
 * Streams tensors of files into their slots; one that a transform makes is in memory whole, unless it stays packed. Gives
 * what was put into other blocks than the files have.
 */
export function writeFromFiles(
  { backend }: Model,
  all: ReadonlyArray<FromFile>,
): Effect.Effect<ReadonlyArray<EncodedWeight>, WriteError, FileSystem.FileSystem> {
  const write = async ({ parameter, slots }: FromFile, data: Float32Array, offset?: number) => {
    checkRange(parameter, data)
    for (const slot of slots) await backend.write(slot, data, offset)
  }
  return Effect.gen(function* () {
    const streamed = new Map<TensorEntry, FromFile[]>()
    const encoded: EncodedWeight[] = []
    const memory = encoderMemory()
    for (const one of all) {
      const { parameter, slots, tensor: { entry, packed, read, shape } } = one
      const encoding = encodingOf(slots[0].storage)
      if (inBlocks(encoding) && packed?.encoding !== encoding) {
        encoded.push(yield* encodeFromFile(one, encoding, backend, memory))
      } else if (packed !== undefined) {
        yield* known(() => writePacked(packed, shape, slots, backend.write, (data) => checkRange(parameter, data)))
      } else if (entry !== undefined) streamed.set(entry, [...streamed.get(entry) ?? [], one])
      else yield* known(async () => await write(one, await read()))
    }
    yield* readTensors([...streamed.keys()], async (entry, data, offset) => {
      for (const one of streamed.get(entry)!) await write(one, data, offset)
    }).pipe(Effect.mapError(causeOf))
    return encoded
  })
}

const causeOf = (error: SafetensorsError | StorageError) => error.cause instanceof ModelError ? error.cause : error

/** Puts a tensor into blocks, of which the host holds all, and of its numbers a piece. */
function encodeFromFile(
  { tensor, parameter, slots }: FromFile,
  encoding: BlockEncoding,
  backend: Model["backend"],
  memory: EncoderMemory,
): Effect.Effect<EncodedWeight, WriteError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { key, shape } = parameter
    const encoder = encodeWeight(key, shape, encoding, memory)
    yield* eachPiece(tensor, memory.piece, (data, offset) => {
      checkRange(parameter, data)
      encoder.put(data, offset)
    })
    if (encoder.settle()) yield* eachPiece(tensor, memory.piece, encoder.compare)
    const lost = encoder.lost()
    if (!Number.isFinite(lost.relativeError)) {
      const message = `"${key}" holds numbers that are not finite, which ${encoding.name} cannot; leave its module out`
      return yield* new ModelError({ reason: "Weights", message })
    }
    yield* known(async () => {
      for (const slot of slots) await backend.write(slot, encoder.bytes)
    })
    return lost
  })
}

/** All numbers of a tensor in pieces of whole rows, in any order. */
function eachPiece(
  { entry, packed, shape, read }: StoredTensor,
  memory: PieceMemory,
  sink: (data: Float32Array, offset: number) => void,
): Effect.Effect<void, WriteError, FileSystem.FileSystem> {
  if (packed === undefined && entry !== undefined) return readTensor(entry, sink, memory).pipe(Effect.mapError(causeOf))
  return known(async () => {
    if (packed === undefined) return sink(await read(), 0)
    for await (const { offset, elements, bytes } of piecesOfRows(packed, shape)) {
      sink(decoded(packed.encoding, bytes, elements), offset)
    }
  })
}

/** Runs what reads and writes; an error that is none of ours is the backend's. */
function known(run: () => Promise<void>): Effect.Effect<void, WriteError> {
  return Effect.tryPromise({
    try: run,
    catch: (cause) =>
      ERRORS.some((one) => cause instanceof one)
        ? cause as WriteError
        : new BackendError({ reason: "Run", message: cause instanceof Error ? cause.message : String(cause), cause }),
  })
}

/** Throws where a finite weight would become infinite. */
function checkRange({ key, slot: { storage } }: ModelParameter, data: Float32Array): void {
  const encoding = encodingOf(storage)
  const place = firstOverflow(encoding, data)
  if (place < 0) return
  const message = `"${key}" holds ${data[place]}, which ${encoding.name} cannot; load the model with weights: ` +
    (encoding.name === "f16" ? '"bf16" or "f32"' : '"f32"')
  throw new ModelError({ reason: "Weights", message })
}
