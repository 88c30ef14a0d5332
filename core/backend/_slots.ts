/**
 * Checks of slots that all backends share.
 * @module
 */
import type { DType, Storage } from "../../kernels/contract.ts"
import type { Program } from "../graph/program.ts"
import { sizeOf } from "../tensor/shape.ts"
import type { Slot } from "./backend.ts"
import { BackendError } from "./backend_error.ts"

const bad = (message: string): BackendError => new BackendError({ reason: "BadInput", message })

/** Makes a numbered slot. Throws on an invalid shape or storage. */
export const makeSlot = (
  id: number,
  name: string,
  shape: ReadonlyArray<number>,
  dtype: DType = "f32",
  storage: Storage = "f32",
): Slot => {
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) {
    throw bad(`Slot "${name}" cannot have the shape [${shape}]: extents are whole numbers from 0 on`)
  }
  if (dtype !== "f32" && storage !== "f32") {
    throw bad(`Slot "${name}" cannot keep ${dtype} in ${storage}: only f32 has other forms`)
  }
  return { id, name, shape, dtype, storage }
}

/** Throws unless the elements fit into the slot at this offset. */
export const checkWrite = (slot: Slot, data: Float32Array | Int32Array, offset: number): void => {
  const size = sizeOf(slot.shape)
  const fits = Number.isInteger(offset) && offset >= 0 && offset + data.length <= size
  if (fits && (data instanceof Int32Array) === (slot.dtype === "i32")) return
  throw bad(
    `Slot "${slot.name}" holds ${size} ${slot.dtype} elements; ${data.length} of a ${data.constructor.name} do not ` +
      `go to element ${offset}`,
  )
}

/** The slots of a program. Throws if one does not exist or has another storage than the program expects. */
export const slotsOf = <A extends { readonly slot: Slot }>(
  { name, buffers }: Program,
  held: ReadonlyMap<number, A>,
): ReadonlyArray<A> =>
  buffers.flatMap(({ source, storage = "f32" }) => {
    if (source.kind !== "slot") return []
    const own = held.get(source.slot)
    if (own === undefined) {
      const message = `Program "${name}" names slot ${source.slot}, which does not exist`
      throw new BackendError({ reason: "Compile", message })
    }
    if ((own.slot.storage ?? "f32") !== storage) {
      const message = `Program "${name}" takes slot ${source.slot} "${own.slot.name}" for ${storage}, it is kept in ` +
        `${own.slot.storage}`
      throw new BackendError({ reason: "Compile", message })
    }
    return [own]
  })
