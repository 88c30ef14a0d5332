/**
 * Checks of slots that all backends share.
 * @module
 */
import type { DType, StoredAs } from "../../../kernels/contract.ts"
import { bytesFor, type Encoding } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import type { Program } from "../../graph/program.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { BackendService, Slot, SlotData, SlotOptions, SlotRequest } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import type { Room } from "./room_problem.ts"

const bad = (message: string): BackendError => new BackendError({ reason: "BadInput", message })

/** Makes a numbered slot. Throws on an invalid shape or storage. */
export const makeSlot = (
  id: number,
  name: string,
  shape: ReadonlyArray<number>,
  dtype: DType = "f32",
  storage: StoredAs = "f32",
  { readOnly = false }: SlotOptions = {},
): Slot => {
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) {
    throw bad(`Slot "${name}" cannot have the shape [${shape}]: extents are whole numbers from 0 on`)
  }
  const { name: encoding, block } = encodingOf(storage)
  if (dtype !== "f32" && encoding !== "f32") {
    throw bad(`Slot "${name}" cannot keep ${dtype} in ${encoding}: only f32 has other forms`)
  }
  if (block > 1 && (shape.at(-1) ?? 1) % block !== 0) {
    throw bad(`Slot "${name}" [${shape}] cannot be kept in ${encoding}: its last axis is no multiple of ${block}`)
  }
  return { id, name, shape, dtype, storage, ...(readOnly ? { readOnly } : {}) }
}

/** Bytes of a slot as it is kept. */
export const slotBytes = ({ shape, storage }: SlotRequest): number => bytesFor(encodingOf(storage), sizeOf(shape))

/** The `checkRoom` of a backend, by what it has room for now. */
export const roomCheck = (room: () => Room): BackendService["checkRoom"] => async (slots, what) => {
  const { roomProblem } = await import("./room_problem.ts")
  const message = roomProblem(room(), slots, slotBytes, what)
  if (message !== undefined) throw new BackendError({ reason: "OutOfMemory", message })
}

/** Throws unless these elements, or these blocks as encoded, go to this place of the slot. */
export const checkWrite = ({ name, shape, dtype, storage }: Slot, data: SlotData, offset: number): void => {
  const size = sizeOf(shape)
  const { name: encoding, block, blockBytes, encode } = encodingOf(storage)
  const blocks = data instanceof Uint8Array
  const count = blocks ? block * data.length / blockBytes : data.length
  const what = `Slot "${name}" holds ${size} ${dtype} elements${encoding === "f32" ? "" : ` in ${encoding}`}`
  if (!blocks && encode === undefined) throw bad(`${what}, which has no encoder: write bytes, as encoded`)
  if (offset % block !== 0 || count % block !== 0) throw bad(`${what}: they are written in whole blocks of ${block}`)
  const fits = Number.isInteger(offset) && offset >= 0 && offset + count <= size
  if (fits && (blocks || (data instanceof Int32Array) === (dtype === "i32"))) return
  throw bad(`${what}; ${data.length} of a ${data.constructor.name} do not go to element ${offset}`)
}

/** Throws unless these elements are whole blocks of the slot. */
export const checkRead = ({ name, shape, storage }: Slot, offset: number, count: number): void => {
  const { name: encoding, block } = encodingOf(storage)
  const whole = [offset, count].every((number) => Number.isInteger(number) && number >= 0 && number % block === 0)
  if (whole && offset + count <= sizeOf(shape)) return
  throw bad(
    `Slot "${name}" holds ${sizeOf(shape)} elements in ${encoding}, blocks of ${block}: ${count} from element ` +
      `${offset} on are not whole blocks of it`,
  )
}

/** What the memory is to hold: bytes as they are, numbers encoded. */
export const encoded = (encoding: Encoding, data: SlotData): Uint8Array<ArrayBuffer> => {
  if (data instanceof Uint8Array) return data.slice()
  const bytes = new Uint8Array(bytesFor(encoding, data.length))
  encoding.encode!(data as Float32Array, bytes)
  return bytes
}

/** The numbers for which the memory holds this. */
export const decoded = ({ decode }: Encoding, bytes: Uint8Array, length: number): Float32Array<ArrayBuffer> => {
  const data = new Float32Array(length)
  decode.reference(bytes, data)
  return data
}

/** The slots of a program. Throws if one does not exist or has another storage than the program expects. */
export const slotsOf = <A extends { readonly slot: Slot }>(
  { name, buffers, encodings }: Program,
  held: ReadonlyMap<number, A>,
): ReadonlyArray<A> =>
  buffers.flatMap(({ source, storage = "f32" }) => {
    if (source.kind !== "slot") return []
    const own = held.get(source.slot)
    if (own === undefined) {
      const message = `Program "${name}" names slot ${source.slot}, which was freed or is not of this backend`
      throw new BackendError({ reason: "Compile", message })
    }
    const kept = encodingOf(own.slot.storage)
    if (kept !== encodingOf(storage, encodings)) {
      const message = `Program "${name}" takes slot ${source.slot} "${own.slot.name}" for ${storage}, it is kept in ` +
        kept.name
      throw new BackendError({ reason: "Compile", message })
    }
    return [own]
  })
