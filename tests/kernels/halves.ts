import { encodingOf } from "../../kernels/encodings.ts"

/** Names of the encodings of the engine. */
export type Storage = "f32" | "bf16" | "f16"

const bytesIn = (halves: Uint16Array) => new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength)

/** Bytes of an element. */
export const bytesOf = (storage: Storage = "f32"): number => encodingOf(storage).blockBytes

/** What memory holds for these numbers. */
export const encode = (storage: Storage, data: Float32Array, to: Uint16Array): void =>
  encodingOf(storage).encode!(data, bytesIn(to))

/** The numbers for which memory holds this. */
export const decode = (storage: Storage, from: Uint16Array): Float32Array<ArrayBuffer> => {
  const data = new Float32Array(from.length)
  encodingOf(storage).decode.reference(bytesIn(from), data)
  return data
}
