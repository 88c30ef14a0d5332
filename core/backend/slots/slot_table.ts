/**
 * The slots of a backend.
 * @module
 */
import { type Encoding, inBlocks } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { BackendService, Slot, SlotData } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { checkRead, checkWrite, encoded, makeSlot } from "./slots.ts"

/** A slot and its memory. */
export interface HeldSlot<Memory> {
  readonly slot: Slot
  readonly memory: Memory
}

/** What a backend does for its slots. `what` names the request in errors. */
export interface SlotMemory<Memory> {
  /** Memory for elements, filled with zeros. */
  readonly reserve: (elements: number, encoding: Encoding, what: string, readOnly?: boolean) => Memory
  readonly release: (memory: Memory) => void
  /** Writes checked data from element `offset` on. */
  readonly write: (held: HeldSlot<Memory>, encoding: Encoding, data: SlotData, offset: number, what: string) =>
    | Promise<unknown>
    | undefined
  /** A decoded copy. */
  readonly read: (
    held: HeldSlot<Memory>,
    encoding: Encoding,
    elements: number,
    what: string,
  ) => Promise<Float32Array | Int32Array>
  /** A copy of the bytes of checked elements. */
  readonly readEncoded: (
    held: HeldSlot<Memory>,
    encoding: Encoding,
    offset: number,
    elements: number,
    what: string,
  ) => Promise<Uint8Array<ArrayBuffer>>
}

/** The slots of a backend. */
export interface SlotTable<Memory>
  extends Pick<BackendService, "allocate" | "free" | "write" | "read" | "readEncoded"> {
  readonly held: ReadonlyMap<number, HeldSlot<Memory>>
  /** Throws unless this backend holds the slot; `user` is what needs it. */
  readonly heldOf: (slot: Slot, user?: string) => HeldSlot<Memory>
}

/** Numbers of a whole slot as blocks, where scales are to be rounded together; else the data as it is. */
const settled = (encoding: Encoding, data: SlotData, { shape }: Slot): SlotData => {
  if (!inBlocks(encoding) || encoding.settle === undefined) return data
  if (!(data instanceof Float32Array) || data.length !== sizeOf(shape)) return data
  const bytes = encoded(encoding, data)
  encoding.settle(bytes)
  return bytes
}

let tables = 0

/** An empty table. No two share a slot's number, so that a program with slots of another backend is refused. */
export const makeSlotTable = <Memory>(own: SlotMemory<Memory>): SlotTable<Memory> => {
  const { reserve, release, write, read, readEncoded } = own
  const held = new Map<number, HeldSlot<Memory>>()
  let numbers = 2 ** 24 * tables++
  const heldOf: SlotTable<Memory>["heldOf"] = (slot, user = "a copy") => {
    const found = held.get(slot.id)
    if (found?.slot === slot) return found
    throw new BackendError({
      reason: "BadInput",
      message: `Slot ${slot.id} "${slot.name}", which ${user} needs, was freed or is not of this backend`,
    })
  }
  return {
    held,
    heldOf,
    allocate: (name, shape, dtype, storage, options) => {
      const slot = makeSlot(numbers, name, shape, dtype, storage, options)
      const memory = reserve(sizeOf(shape), encodingOf(storage), `slot "${name}" [${shape}]`, slot.readOnly)
      numbers++
      held.set(slot.id, { slot, memory })
      return slot
    },
    free: (slot) => {
      const found = held.get(slot.id)
      if (found?.slot !== slot) return
      held.delete(slot.id)
      release(found.memory)
    },
    write: async (slot, data, offset = 0) => {
      const found = heldOf(slot)
      checkWrite(slot, data, offset)
      const encoding = encodingOf(slot.storage)
      await write(found, encoding, settled(encoding, data, slot), offset, `writing slot "${slot.name}"`)
    },
    read: async (slot) =>
      await read(heldOf(slot), encodingOf(slot.storage), sizeOf(slot.shape), `reading slot "${slot.name}"`),
    readEncoded: async (slot, offset = 0, count = sizeOf(slot.shape) - offset) => {
      const found = heldOf(slot)
      checkRead(slot, offset, count)
      return await readEncoded(found, encodingOf(slot.storage), offset, count, `reading slot "${slot.name}"`)
    },
  }
}
