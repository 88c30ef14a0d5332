/**
 * Writing safetensors: streamed to a file that appears whole or not at all, or into memory.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../contracts/attempt.ts"
import { narrowBF16, narrowF16 } from "../../tensor/half_floats.ts"
import { SafetensorsError } from "./safetensors_error.ts"
import { elementCount, encodeHeader, inFileOrder, type TensorLayout } from "./safetensors_header.ts"
import type { StorageError } from "../files/storage_error.ts"
import type { FloatDType } from "./stored_dtype.ts"
import { writeFileWith } from "../files/whole_file.ts"

/** Elements of the pieces in which tensors are written. */
const PIECE = 262_144

/** A tensor to be written. */
export interface FloatTensorLayout extends TensorLayout {
  /** Type in the file. F16 and BF16 are rounded to nearest, ties to even. */
  readonly dtype: FloatDType
}
/** A tensor to be written, fetched when its turn comes. */
export interface TensorSource extends FloatTensorLayout {
  /** Gives all elements, in row-major order. */
  readonly read: () => Float32Array | Promise<Float32Array>
}
/** A tensor to be written that is at hand. */
export interface TensorData extends FloatTensorLayout {
  /** All elements, in row-major order. */
  readonly data: Float32Array
}

/**
 * Writes a safetensors file, one tensor in memory at a time. The bytes are those that the reference implementation
 * writes. On failure or interruption nothing is left, and an older file of that name stays.
 * @param metadata Free texts for `__metadata__`, such as `{ format: "pt" }`, which transformers asks for.
 * @param mode Permissions of the file. Default 0o666.
 */
export function writeSafetensors(
  path: string,
  tensors: Iterable<TensorSource>,
  metadata: Readonly<Record<string, string>> = {},
  mode?: number,
): Effect.Effect<void, SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const ordered = inFileOrder(tensors)
    const header = yield* attempt(() => encodeHeader(ordered, metadata, path), SafetensorsError)
    yield* writeFileWith(path, (file) =>
      Effect.gen(function* () {
        yield* file.write(header)
        for (const tensor of ordered) {
          const data = yield* Effect.tryPromise({
            try: async () => checkData(tensor, await tensor.read(), path),
            catch: (cause) => cause instanceof SafetensorsError ? cause : sourceError(tensor.name, path, cause),
          })
          for (let at = 0; at < data.length; at += PIECE) {
            yield* file.write(encodePiece(data.subarray(at, at + PIECE), tensor.dtype))
          }
        }
      }), mode)
  })
}

/** Makes the bytes of a safetensors file in memory. Throws {@link SafetensorsError} on wrong names, shapes or lengths. */
export function encodeSafetensors(
  tensors: Iterable<TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const ordered = inFileOrder(tensors)
  const parts = [encodeHeader(ordered, metadata, "safetensors")]
  for (const tensor of ordered) parts.push(encodePiece(checkData(tensor, tensor.data, "safetensors"), tensor.dtype))
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function encodePiece(data: Float32Array, dtype: FloatDType): Uint8Array<ArrayBuffer> {
  // A copy even for F32: the data may lie in shared memory, which not every file system call takes.
  if (dtype === "F32") return new Uint8Array(data.slice().buffer as ArrayBuffer)
  const narrow = new Uint16Array(data.length)
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length)
  if (dtype === "F16") narrowF16(bits, narrow)
  else narrowBF16(bits, narrow)
  return new Uint8Array(narrow.buffer)
}

/** The first numbers that become infinite. */
const OVERFLOW: Readonly<Partial<Record<FloatDType, number>>> = { F16: 65520, BF16: (2 - 2 ** -8) * 2 ** 127 }

function checkData(tensor: FloatTensorLayout, data: Float32Array, file: string): Float32Array {
  const limit = OVERFLOW[tensor.dtype]
  const beyond = limit === undefined ? undefined : data.find((x) => Math.abs(x) >= limit && Math.abs(x) < Infinity)
  if (beyond !== undefined) {
    const message = `"${file}": tensor ${JSON.stringify(tensor.name)} holds ${beyond}, which ${tensor.dtype} cannot ` +
      "hold: write another type"
    throw new SafetensorsError({ reason: "Dtype", file, message })
  }
  if (data.length === elementCount(tensor.shape)) return data
  const message = `"${file}": tensor ${
    JSON.stringify(tensor.name)
  } of shape [${tensor.shape}] has ${data.length} elements`
  throw new SafetensorsError({ reason: "Shape", file, message })
}

function sourceError(name: string, file: string, cause: unknown): SafetensorsError {
  const message = `tensor ${JSON.stringify(name)} for "${file}" could not be had: ${
    cause instanceof Error ? cause.message : cause
  }`
  return new SafetensorsError({ reason: "Callback", file, message, cause })
}
