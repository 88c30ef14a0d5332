import { bytesFor } from "../../../kernels/encoding.ts"
import { F32 } from "../../../kernels/encodings.ts"
import type { SlotMemory } from "../slot_table.ts"
import { decoded } from "../slots.ts"
import type { Access } from "./access.ts"
import type { Block } from "./allocator.ts"
import type { EngineMemory } from "./memory.ts"

/** Slots as blocks of the engine's memory. */
export const slotMemory = (memory: EngineMemory, access: Access): SlotMemory<Block> => ({
  reserve: (elements, encoding, what) => {
    const block = memory.reserve(bytesFor(encoding, elements), what)
    const { address, bytes, reused } = block
    // A failure surfaces at the next use of the slot.
    if (reused) access.zero(address, bytes, `clearing ${what}`).catch(() => {})
    memory.countSlots(bytes)
    return block
  },
  release: (block) => {
    memory.countSlots(-block.bytes)
    memory.free(block)
  },
  write: ({ memory: { address } }, encoding, data, offset, what) => {
    const start = address + bytesFor(encoding, offset)
    if (encoding === F32 || data instanceof Uint8Array) return access.write(start, data, what)
    const encode = (bytes: Uint8Array) => encoding.encode!(data as Float32Array, bytes)
    return access.writeBytes(start, bytesFor(encoding, data.length), encode, what)
  },
  read: ({ slot: { dtype }, memory: { address } }, encoding, length, what) =>
    encoding === F32
      ? access.read({ address, length, dtype }, what)
      : access.readBytes(address, bytesFor(encoding, length), (bytes) => decoded(encoding, bytes, length), what),
  readEncoded: ({ memory: { address } }, encoding, offset, length, what) => {
    // Whole words from the first on, as a memory of another thread is read.
    const start = bytesFor(encoding, offset), before = start % 4
    const size = before + bytesFor(encoding, length)
    return access.readBytes(address + start - before, size, (bytes) => bytes.slice(before), what)
  },
})
