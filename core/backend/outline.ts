/**
 * What a run will need, before it takes memory.
 * @module
 */
import { sizeOf } from "../tensor/shape.ts"
import type { BackendService, Slot } from "./backend.ts"
import { makeSlot, slotBytes } from "./slots/slots.ts"

/** A backend that takes no memory and computes nothing: outputs are zeros. `memory` has what another one would take. */
export interface OutlineBackend extends BackendService {
  /** Slots that are there. */
  readonly slots: ReadonlySet<Slot>
}

/** An outline of a backend, whose programs are lowered as that one lowers them. */
export function outlineOf({ info, temporaryBytes }: BackendService): OutlineBackend {
  const slots = new Set<Slot>()
  let made = 0, largest = 0
  const zeros = ({ shape, dtype }: Pick<Slot, "shape" | "dtype">) =>
    dtype === "i32" ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape))
  return {
    info,
    slots,
    temporaryBytes,
    allocate: (...slot) => {
      const own = makeSlot(made++, ...slot)
      slots.add(own)
      return own
    },
    free: (slot) => void slots.delete(slot),
    checkRoom: () => Promise.resolve(),
    write: () => Promise.resolve(),
    read: (slot) => Promise.resolve(zeros(slot)),
    readEncoded: (slot) => Promise.resolve(new Uint8Array(slotBytes(slot))),
    compile: (program) => {
      const bytes = temporaryBytes(program)
      largest = Math.max(largest, bytes)
      const outputs = () =>
        Object.fromEntries(program.outputs.map(({ name, view: { shape }, dtype }) => [name, zeros({ shape, dtype })]))
      return Promise.resolve({ run: () => Promise.resolve(outputs()), temporaryBytes: bytes, dispose: () => {} })
    },
    memory: () => {
      const inSlots = [...slots].reduce((sum, slot) => sum + slotBytes(slot), 0)
      return { slotBytes: inSlots, temporaryBytes: largest, totalBytes: inSlots + largest }
    },
  }
}
