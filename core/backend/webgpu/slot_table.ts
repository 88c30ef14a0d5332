/**
 * Slots as device buffers.
 * @module
 */
import type { DType } from "../../../kernels/contract.ts"
import { bytesOf } from "../../tensor/dtype.ts"
import { decode, encode } from "../../tensor/half_floats.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { BackendService, Slot } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { checkWrite, makeSlot } from "../_slots.ts"
import type { DeviceBuffers } from "./buffers.ts"
import { paddedBytes } from "./lower.ts"

/** A slot and its buffer. */
export interface HeldSlot {
  readonly slot: Slot
  readonly buffer: number
  readonly bytes: number
}

/** The slots of a backend. */
export interface SlotTable extends Pick<BackendService, "allocate" | "free" | "write" | "read"> {
  readonly held: ReadonlyMap<number, HeldSlot>
  /** Throws unless this backend holds the slot. */
  readonly heldOf: (slot: Slot) => HeldSlot
  /** Bytes of all slots. */
  readonly bytes: () => number
}

/** Bytes as an array of their type. */
export const arrayOf = (dtype: DType, bytes: ArrayBuffer): Float32Array | Int32Array =>
  dtype === "i32" ? new Int32Array(bytes) : new Float32Array(bytes)

/** An empty table. */
export const makeSlotTable = ({ device, create, destroy, writeBuffer }: DeviceBuffers): SlotTable => {
  const held = new Map<number, HeldSlot>()
  let numbers = 0, total = 0
  const heldOf = (slot: Slot): HeldSlot => {
    const found = held.get(slot.id)
    if (found?.slot === slot) return found
    throw new BackendError({
      reason: "BadInput",
      message: `Slot ${slot.id} "${slot.name}" was freed or is not of this backend`,
    })
  }
  return {
    held,
    heldOf,
    bytes: () => total,
    allocate: (name, shape, dtype, storage) => {
      const lost = device.lost()
      if (lost !== undefined) throw lost
      const slot = makeSlot(numbers, name, shape, dtype, storage)
      const bytes = paddedBytes(sizeOf(shape), storage)
      const { buffer, made } = create(bytes, `slot "${name}" [${shape}]`)
      made.catch(() => {}) // the next use of the slot fails
      numbers++
      held.set(slot.id, { slot, buffer, bytes })
      total += bytes
      return slot
    },
    free: (slot) => {
      const found = held.get(slot.id)
      if (found === undefined) return
      held.delete(slot.id)
      total -= found.bytes
      destroy([found.buffer])
    },
    write: async (slot, data, offset = 0) => {
      const { buffer } = heldOf(slot)
      checkWrite(slot, data, offset)
      const what = `writing slot "${slot.name}"`
      const { storage = "f32" } = slot
      // An empty write crashes Deno.
      if (data.length === 0) return
      if (storage === "f32") return void await writeBuffer(buffer, 4 * offset, data, what)
      // Two elements a word: the other halves of the first and the last word stay unchanged.
      const end = offset + data.length
      const before = offset % 2, after = end % 2
      const halves = new Uint16Array(before + data.length + after)
      encode(storage, data as Float32Array, halves.subarray(before, before + data.length))
      const keep = { first: before === 1, last: after === 1 && end < sizeOf(slot.shape) }
      const request = { kind: "write", buffer, offset: 2 * (offset - before), data: halves.buffer, keep } as const
      await device.ask(request, what, [halves.buffer])
    },
    read: async (slot) => {
      const { buffer } = heldOf(slot)
      const { dtype, storage = "f32" } = slot
      const length = sizeOf(slot.shape)
      const region = { buffer, offset: 0, bytes: 4 * Math.ceil(bytesOf(storage) * length / 4) }
      const [bytes] = await device.ask({ kind: "read", region }, `reading slot "${slot.name}"`)
      return storage === "f32" ? arrayOf(dtype, bytes) : decode(storage, new Uint16Array(bytes, 0, length))
    },
  }
}
