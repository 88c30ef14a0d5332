import type { DType } from "../../../kernels/contract.ts"
import { bytesFor } from "../../../kernels/encoding.ts"
import { F32 } from "../../../kernels/encodings.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { BackendError, mebibytes } from "../backend_error.ts"
import type { SlotMemory } from "../slots/slot_table.ts"
import { decoded, encoded } from "../slots/slots.ts"
import type { DeviceBuffers } from "./buffers.ts"
import type { Device } from "./device.ts"
import { ALIGNMENT, paddedBytes } from "./lower.ts"

/** Most bytes of a slot: shaders count them in 32 bits. */
export const ADDRESSED = 2 ** 32 - ALIGNMENT

/** The buffers of a slot: one, or several that follow each other. */
export interface SlotBuffer {
  readonly buffers: ReadonlyArray<number>
  /** Bytes of each but the last. */
  readonly pieceBytes: number
  readonly bytes: number
}

/** The parts of a range of a slot's bytes, by buffer. `from` counts from the start of the range, `offset` in the buffer. */
const piecesOf = ({ buffers, pieceBytes }: SlotBuffer, start: number, end: number) =>
  buffers.flatMap((buffer, i) => {
    const [first, last] = [Math.max(start, i * pieceBytes), Math.min(end, (i + 1) * pieceBytes)]
    return first < last ? [{ buffer, offset: first - i * pieceBytes, from: first - start, bytes: last - first }] : []
  })

/** Bytes as an array of their type. */
export const arrayOf = (dtype: DType, bytes: ArrayBuffer): Float32Array | Int32Array =>
  dtype === "i32" ? new Int32Array(bytes) : new Float32Array(bytes)

/**
 * Slots as buffers of the device.
 *
 * @param pieceBytes Most bytes of a buffer of a slot.
 */
export const slotMemory = (
  { device, create, destroy, writeBuffer }: DeviceBuffers,
  pieceBytes: number,
): SlotMemory<SlotBuffer> => ({
  reserve: (elements, encoding, what) => {
    const lost = device.lost()
    if (lost !== undefined) throw lost
    const bytes = paddedBytes(elements, encoding)
    if (bytes > ADDRESSED) {
      const message = `No room for ${what}: ${mebibytes(bytes)} asked, shaders address ${
        mebibytes(ADDRESSED)
      } of a tensor`
      throw new BackendError({ reason: "OutOfMemory", message })
    }
    const buffers = Array.from({ length: Math.ceil(bytes / pieceBytes) }, (_, i) => {
      const { buffer, made } = create(Math.min(pieceBytes, bytes - i * pieceBytes), what)
      made.catch(() => {}) // the next use of the slot fails
      return buffer
    })
    return { buffers, pieceBytes, bytes }
  },
  release: ({ buffers }) => destroy(buffers),
  write: ({ slot, memory }, encoding, data, offset, what) => {
    // An empty write crashes Deno.
    if (data.length === 0) return
    const start = bytesFor(encoding, offset)
    if (encoding === F32 && !(data instanceof Uint8Array)) {
      return Promise.all(
        piecesOf(memory, start, start + data.byteLength).map(({ buffer, offset, from, bytes }) =>
          writeBuffer(buffer, offset, data.subarray(from / 4, (from + bytes) / 4), what)
        ),
      )
    }
    const whole = encoded(encoding, data)
    const size = bytesFor(encoding, sizeOf(slot.shape))
    return Promise.all(
      piecesOf(memory, start, start + whole.length).map(({ buffer, offset, from, bytes }) => {
        // Whole words: the other bytes of the first and the last one stay unchanged.
        const first = offset % 4, after = -(offset + bytes) & 3
        const words = new Uint8Array(first + bytes + after)
        words.set(whole.subarray(from, from + bytes), first)
        const keep = { first, last: start + from + bytes < size ? after : 0 }
        const request = { kind: "write", buffer, offset: offset - first, data: words.buffer, keep } as const
        return device.ask(request, what, [words.buffer])
      }),
    )
  },
  read: async ({ slot: { dtype }, memory }, encoding, length, what) => {
    const size = bytesFor(encoding, length)
    const bytes = await readBytes(device, memory, 0, 4 * Math.ceil(size / 4), what)
    return encoding === F32 ? arrayOf(dtype, bytes) : decoded(encoding, new Uint8Array(bytes, 0, size), length)
  },
  readEncoded: async ({ memory }, encoding, offset, length, what) => {
    const start = bytesFor(encoding, offset), size = bytesFor(encoding, length), before = start % 4
    const bytes = await readBytes(device, memory, start - before, 4 * Math.ceil((start + size) / 4), what)
    return new Uint8Array(bytes, before, size).slice()
  },
})

/** Whole words of a slot. */
const readBytes = async (
  device: Device,
  memory: SlotBuffer,
  start: number,
  end: number,
  what: string,
): Promise<ArrayBuffer> => {
  const pieces = piecesOf(memory, start, end)
  const parts = await Promise.all(
    pieces.map(({ buffer, offset, bytes }) => device.ask({ kind: "read", region: { buffer, offset, bytes } }, what)),
  )
  if (parts.length === 1) return parts[0][0]
  const whole = new Uint8Array(end - start)
  parts.forEach(([part], i) => whole.set(new Uint8Array(part), pieces[i].from))
  return whole.buffer
}
