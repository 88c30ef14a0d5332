/**
 * Weights of 4 bits in bitsandbytes' files, as packed tensors.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { dequantizeScales } from "../../../kernels/encodings/double_quantization.ts"
import { nf4, NF4_BLOCKS, NF4_VALUES, nf4Blocks } from "../../../kernels/encodings/nf4.ts"
import { attempt } from "../../contracts/attempt.ts"
import {
  parseQuantState,
  type QuantizedEntries,
  quantizedEntries,
  type QuantState,
} from "../../formats/bitsandbytes/quant_state.ts"
import { fileSystem } from "../../formats/files/file_system.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { readBytes } from "../../formats/safetensors/read_bytes.ts"
import { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import type { TensorEntry } from "../../formats/safetensors/safetensors_header.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { decodeRows, type PackedRows } from "../packed_rows.ts"
import type { StoredTensor } from "../stored_tensor.ts"

/** Tensors with those of each weight of 4 bits in the place of what its file has for it. */
export function withQuantized(
  tensors: ReadonlyMap<string, StoredTensor & { readonly entry: TensorEntry }>,
): Effect.Effect<ReadonlyMap<string, StoredTensor>, SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const read = (entry: TensorEntry, first?: number, count?: number) =>
      Effect.runPromise(Effect.provideService(readBytes(entry, first, count), fileSystem, fs))
    const all = new Map<string, StoredTensor>(tensors)
    const entries = new Map([...tensors].map(([name, { entry }]) => [name, entry]))
    for (const own of yield* attempt(() => quantizedEntries(entries), SafetensorsError)) {
      const text = new TextDecoder().decode(yield* readBytes(own.state))
      const state = yield* attempt(() => parseQuantState(own, text), SafetensorsError)
      const map = floats(yield* readBytes(own.quantMap))
      if (map.some((value, i) => value !== NF4_VALUES[i]) || !NF4_BLOCKS.includes(state.blocksize)) {
        const message = `"${own.state.file}": "${own.name}" has other numbers for its codes than NF4, or blocks of ` +
          `${state.blocksize}; quantize the model again with bitsandbytes`
        return yield* new SafetensorsError({ reason: "Dtype", file: own.state.file, message })
      }
      own.names.forEach((name) => all.delete(name))
      all.set(own.name, tensorOf(own, state, read))
    }
    return all
  })
}

/** Reads bytes of a tensor. */
type Read = (entry: TensorEntry, first?: number, count?: number) => Promise<Uint8Array<ArrayBuffer>>

const floats = (bytes: Uint8Array<ArrayBuffer>) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)

function tensorOf(own: QuantizedEntries, state: QuantState, read: Read): StoredTensor {
  const { blocksize, shape } = state
  const encoding = nf4({ blockSize: blocksize, doubleQuantization: state.nested !== undefined })
  const scales = scalesOf(own, state, read)
  /** Whole blocks from block `first` on. */
  const blocks = async (first: number, count: number) => {
    const codes = await read(own.weight, first * blocksize / 2, count * blocksize / 2)
    return nf4Blocks(await scales(first, count), codes, blocksize)
  }
  const { name } = own
  const width = shape.at(-1)!
  if (width % blocksize === 0) {
    const perRow = width / blocksize
    const packed: PackedRows = { encoding, read: (first, count) => blocks(first * perRow, count * perRow) }
    return { name, dtype: "F32", shape, packed, read: () => decodeRows(packed, shape) }
  }
  // Blocks run on from row to row.
  const wholeRead = async () => {
    const count = Math.ceil(sizeOf(shape) / blocksize)
    const codes = new Uint8Array(count * blocksize / 2)
    codes.set(await read(own.weight))
    const data = new Float32Array(count * blocksize)
    encoding.decode.reference(nf4Blocks(await scales(0, count), codes, blocksize), data)
    return data.subarray(0, sizeOf(shape))
  }
  return { name, dtype: "F32", shape, read: wholeRead }
}

/** Reads scales of blocks. */
function scalesOf({ absmax, nested }: QuantizedEntries, { nested: state }: QuantState, read: Read) {
  if (nested === undefined || state === undefined) {
    return async (first: number, count: number) => floats(await read(absmax, 4 * first, 4 * count))
  }
  let shared: Promise<readonly [Float32Array, Float32Array]> | undefined
  const { blocksize, offset } = state
  return async (first: number, count: number) => {
    shared ??= Promise.all([read(nested.absmax).then(floats), read(nested.quantMap).then(floats)])
    const [scales, map] = await shared
    return dequantizeScales({ codes: await read(absmax, first, count), scales, offset }, { map, blocksize, first })
  }
}
