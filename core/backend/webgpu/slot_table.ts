/**
 * Slots as device buffers.
 * @module
 */
import type { DType } from "../../../kernels/contract.ts"
import { bytesFor } from "../../../kernels/encoding.ts"
import { encodingOf, F32 } from "../../../kernels/encodings.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { BackendService, Slot } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { checkWrite, decoded, encoded, firstSlotNumber, makeSlot } from "../slots.ts"
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
  let numbers = firstSlotNumber(), total = 0
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
      const bytes = paddedBytes(sizeOf(shape), encodingOf(storage))
      const { buffer, made } = create(bytes, `slot "${name}" [${shape}]`)
      made.catch(() => {}) // the next use of the slot fails
      numbers++
      held.set(slot.id, { slot, buffer, bytes })
      total += bytes
      return slot
    },
    free: (slot) => {
      const found = held.get(slot.id)
      if (found?.slot !== slot) return
      held.delete(slot.id)
      total -= found.bytes
      destroy([found.buffer])
    },
    write: async (slot, data, offset = 0) => {
      const { buffer } = heldOf(slot)
      checkWrite(slot, data, offset)
      const what = `writing slot "${slot.name}"`
      const encoding = encodingOf(slot.storage)
      // An empty write crashes Deno.
      if (data.length === 0) return
      const start = bytesFor(encoding, offset)
      if (encoding === F32 && !(data instanceof Uint8Array)) return void await writeBuffer(buffer, start, data, what)
      // Whole words: the other bytes of the first and the last one stay unchanged.
      const bytes = encoded(encoding, data)
      const first = start % 4, end = start + bytes.length, after = -end & 3
      const words = new Uint8Array(first + bytes.length + after)
      words.set(bytes, first)
      const keep = { first, last: end < bytesFor(encoding, sizeOf(slot.shape)) ? after : 0 }
      const request = { kind: "write", buffer, offset: start - first, data: words.buffer, keep } as const
      await device.ask(request, what, [words.buffer])
    },
    read: async (slot) => {
      const { buffer } = heldOf(slot)
      const { dtype, shape, storage } = slot
      const encoding = encodingOf(storage)
      const length = sizeOf(shape), size = bytesFor(encoding, length)
      const region = { buffer, offset: 0, bytes: 4 * Math.ceil(size / 4) }
      const [bytes] = await device.ask({ kind: "read", region }, `reading slot "${slot.name}"`)
      return encoding === F32 ? arrayOf(dtype, bytes) : decoded(encoding, new Uint8Array(bytes, 0, size), length)
    },
  }
}
