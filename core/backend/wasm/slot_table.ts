/**
 * Slots in the engine's memory.
 * @module
 */
import { bytesOf } from "../../tensor/dtype.ts"
import { decode, encode } from "../../tensor/half_floats.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { BackendService, Slot } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { checkWrite, makeSlot } from "../_slots.ts"
import type { Block } from "./_allocator.ts"
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
  let numbers = 0
  const blockOf: SlotTable["blockOf"] = (slot, user = "a copy") => {
    const found = held.get(slot.id)
    if (found !== undefined) return found.block
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
      const block = memory.reserve(bytesOf(storage) * sizeOf(shape), `slot "${name}" [${shape}]`)
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
      if (found === undefined) return
      held.delete(slot.id)
      memory.countSlots(-found.block.bytes)
      memory.free(found.block)
    },
    write: async (slot, data, offset = 0) => {
      const { address } = blockOf(slot)
      checkWrite(slot, data, offset)
      const { storage = "f32" } = slot
      const at = address + bytesOf(storage) * offset, what = `writing slot "${slot.name}"`
      await (storage === "f32"
        ? access.write(at, data, what)
        : access.writeHalves(at, data.length, (halves) => encode(storage, data as Float32Array, halves), what))
    },
    read: async (slot) => {
      const { address } = blockOf(slot)
      const { dtype, storage = "f32" } = slot
      const length = sizeOf(slot.shape), what = `reading slot "${slot.name}"`
      return storage === "f32"
        ? await access.read({ address, length, dtype }, what)
        : await access.readHalves(address, length, (halves) => decode(storage, halves), what)
    },
  }
}
