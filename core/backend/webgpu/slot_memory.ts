import type { DType } from "../../../kernels/contract.ts"
import { bytesFor } from "../../../kernels/encoding.ts"
import { F32 } from "../../../kernels/encodings.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { SlotMemory } from "../slot_table.ts"
import { decoded, encoded } from "../slots.ts"
import type { DeviceBuffers } from "./buffers.ts"
import { paddedBytes } from "./lower.ts"

/** The buffer of a slot. */
export interface SlotBuffer {
  readonly buffer: number
  readonly bytes: number
}

/** Bytes as an array of their type. */
export const arrayOf = (dtype: DType, bytes: ArrayBuffer): Float32Array | Int32Array =>
  dtype === "i32" ? new Int32Array(bytes) : new Float32Array(bytes)

/** Slots as buffers of the device. */
export const slotMemory = ({ device, create, destroy, writeBuffer }: DeviceBuffers): SlotMemory<SlotBuffer> => ({
  reserve: (elements, encoding, what) => {
    const lost = device.lost()
    if (lost !== undefined) throw lost
    const bytes = paddedBytes(elements, encoding)
    const { buffer, made } = create(bytes, what)
    made.catch(() => {}) // the next use of the slot fails
    return { buffer, bytes }
  },
  release: ({ buffer }) => destroy([buffer]),
  write: ({ slot, memory: { buffer } }, encoding, data, offset, what) => {
    // An empty write crashes Deno.
    if (data.length === 0) return
    const start = bytesFor(encoding, offset)
    if (encoding === F32 && !(data instanceof Uint8Array)) return writeBuffer(buffer, start, data, what)
    // Whole words: the other bytes of the first and the last one stay unchanged.
    const bytes = encoded(encoding, data)
    const first = start % 4, end = start + bytes.length, after = -end & 3
    const words = new Uint8Array(first + bytes.length + after)
    words.set(bytes, first)
    const keep = { first, last: end < bytesFor(encoding, sizeOf(slot.shape)) ? after : 0 }
    const request = { kind: "write", buffer, offset: start - first, data: words.buffer, keep } as const
    return device.ask(request, what, [words.buffer])
  },
  read: async ({ slot: { dtype }, memory: { buffer } }, encoding, length, what) => {
    const size = bytesFor(encoding, length)
    const region = { buffer, offset: 0, bytes: 4 * Math.ceil(size / 4) }
    const [bytes] = await device.ask({ kind: "read", region }, what)
    return encoding === F32 ? arrayOf(dtype, bytes) : decoded(encoding, new Uint8Array(bytes, 0, size), length)
  },
  readEncoded: async ({ memory: { buffer } }, encoding, offset, length, what) => {
    if (length === 0) return new Uint8Array(0)
    const start = bytesFor(encoding, offset), size = bytesFor(encoding, length), before = start % 4
    const region = { buffer, offset: start - before, bytes: 4 * Math.ceil((before + size) / 4) }
    const [bytes] = await device.ask({ kind: "read", region }, what)
    return new Uint8Array(bytes, before, size).slice()
  },
})
