import { bytesFor } from "../../../kernels/encoding.ts"
import { F32 } from "../../../kernels/encodings.ts"
import type { SlotMemory } from "../slots/slot_table.ts"
import { decoded } from "../slots/slots.ts"
import type { EngineMemory, Place } from "./memories.ts"

/** Slots as places in the engine's memories. */
export const slotMemory = ({ reserve, free, access: accessTo, countSlots }: EngineMemory): SlotMemory<Place> => ({
  reserve: (elements, encoding, what, readOnly) => {
    const place = reserve(bytesFor(encoding, elements), what, readOnly)
    const { memory, address, bytes, reused } = place
    // A failure surfaces at the next use of the slot.
    if (reused) accessTo(memory).zero(address, bytes, `clearing ${what}`).catch(() => {})
    countSlots(bytes)
    return place
  },
  release: (place) => {
    countSlots(-place.bytes)
    free(place)
  },
  write: ({ memory: { memory, address } }, encoding, data, offset, what) => {
    const access = accessTo(memory)
    const start = address + bytesFor(encoding, offset)
    if (encoding === F32 || data instanceof Uint8Array) return access.write(start, data, what)
    const encode = (bytes: Uint8Array) => encoding.encode!(data as Float32Array, bytes)
    return access.writeBytes(start, bytesFor(encoding, data.length), encode, what)
  },
  read: ({ slot: { dtype }, memory: { memory, address } }, encoding, length, what) => {
    const access = accessTo(memory)
    return encoding === F32
      ? access.read({ address, length, dtype }, what)
      : access.readBytes(address, bytesFor(encoding, length), (bytes) => decoded(encoding, bytes, length), what)
  },
  readEncoded: ({ memory: { memory, address } }, encoding, offset, length, what) => {
    // Whole words from the first on, as a memory of another thread is read.
    const start = bytesFor(encoding, offset), before = start % 4
    const size = before + bytesFor(encoding, length)
    return accessTo(memory).readBytes(address + start - before, size, (bytes) => bytes.slice(before), what)
  },
})
