/**
 * Slots in the engine's memory.
 * @module
 */
import { bytesFor } from "../../../kernels/encoding.ts"
import { encodingOf, F32 } from "../../../kernels/encodings.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { BackendService, Slot } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { checkWrite, decoded, firstSlotNumber, makeSlot } from "../slots.ts"
import type { Block } from "./allocator.ts"
import type { Access } from "./access.ts"
import type { EngineMemory } from "./memory.ts"

/** A slot and its block. */
export interface HeldSlot {
  readonly slot: Slot
  readonly block: Block
}

/** The slots of a backend. */
export interface SlotTable extends Pick<BackendService, "allocate" | "free" | "write" | "read"> {
  readonly held: ReadonlyMap<number, HeldSlot>
  /** Throws unless this backend holds the slot; `user` is what needs it. */
  readonly blockOf: (slot: Slot, user?: string) => Block
}

/** An empty table. */
export const makeSlotTable = (memory: EngineMemory, access: Access): SlotTable => {
  const held = new Map<number, HeldSlot>()
  let numbers = firstSlotNumber()
  const blockOf: SlotTable["blockOf"] = (slot, user = "a copy") => {
    const found = held.get(slot.id)
    if (found?.slot === slot) return found.block
    throw new BackendError({
      reason: "BadInput",
      message: `Slot ${slot.id} "${slot.name}", which ${user} needs, was freed or is not of this backend`,
    })
  }
  return {
    held,
    blockOf,
    allocate: (name, shape, dtype, storage) => {
      const slot = makeSlot(numbers, name, shape, dtype, storage)
      const block = memory.reserve(bytesFor(encodingOf(storage), sizeOf(shape)), `slot "${name}" [${shape}]`)
      const { address, bytes, reused } = block
      // A failure surfaces at the next use of the slot.
      if (reused) access.zero(address, bytes, `clearing slot "${name}"`).catch(() => {})
      numbers++
      held.set(slot.id, { slot, block })
      memory.countSlots(bytes)
      return slot
    },
    free: (slot) => {
      const found = held.get(slot.id)
      if (found?.slot !== slot) return
      held.delete(slot.id)
      memory.countSlots(-found.block.bytes)
      memory.free(found.block)
    },
    write: async (slot, data, offset = 0) => {
      const { address } = blockOf(slot)
      checkWrite(slot, data, offset)
      const encoding = encodingOf(slot.storage)
      const at = address + bytesFor(encoding, offset), what = `writing slot "${slot.name}"`
      if (encoding === F32 || data instanceof Uint8Array) return void await access.write(at, data, what)
      const encode = (bytes: Uint8Array) => encoding.encode!(data as Float32Array, bytes)
      await access.writeBytes(at, bytesFor(encoding, data.length), encode, what)
    },
    read: async (slot) => {
      const { address } = blockOf(slot)
      const { dtype, storage } = slot
      const encoding = encodingOf(storage)
      const length = sizeOf(slot.shape), what = `reading slot "${slot.name}"`
      return encoding === F32
        ? await access.read({ address, length, dtype }, what)
        : await access.readBytes(address, bytesFor(encoding, length), (bytes) => decoded(encoding, bytes, length), what)
    },
  }
}
