/**
 * Numbered buffers of the device, and one arena for the temporaries of all programs.
 * @module
 */
import { BackendError, mebibytes } from "../backend_error.ts"
import type { Device } from "./device.ts"

/** Number of the arena. */
export const ARENA = 0

/** A buffer under construction. */
export interface NewBuffer {
  readonly buffer: number
  readonly made: Promise<unknown>
}

/** The buffers of a device. `what` names a buffer or a request in errors. */
export interface DeviceBuffers {
  readonly device: Device
  /** Makes a buffer of zeros. Throws `OutOfMemory` if the device does not allow this size. */
  readonly create: (bytes: number, what: string) => NewBuffer
  readonly destroy: (buffers: ReadonlyArray<number>) => void
  /** Writes a copy of an array. */
  readonly writeBuffer: (
    buffer: number,
    offset: number,
    data: Float32Array | Int32Array,
    what: string,
  ) => Promise<unknown>
  /** Enlarges the arena to at least this size. */
  readonly enlargeArena: (bytes: number, what: string) => Promise<unknown>
  readonly arenaBytes: () => number
}

/** No buffers yet. */
export const makeBuffers = (device: Device): DeviceBuffers => {
  const { ask, facts: { limits: { maxBufferSize } } } = device
  let numbers = ARENA + 1, arenaBytes = 0
  const checkSize = (bytes: number, what: string): void => {
    if (bytes <= maxBufferSize) return
    throw new BackendError({
      reason: "OutOfMemory",
      message: `No room for ${what}: ${mebibytes(bytes)} asked, a buffer of this device holds at most ` +
        `${mebibytes(maxBufferSize)}. Use a smaller batch, shorter texts or a smaller model.`,
    })
  }
  return {
    device,
    create: (bytes, what) => {
      checkSize(bytes, what)
      const buffer = numbers++
      return { buffer, made: ask({ kind: "create", buffer, bytes }, `making ${what}`) }
    },
    // A lost device holds nothing.
    destroy: (buffers) => void ask({ kind: "destroy", buffers }, "giving memory back").catch(() => {}),
    writeBuffer: (buffer, offset, data, what) => {
      // The caller may reuse its array; the copy is transferred.
      const copy = data.slice().buffer as ArrayBuffer
      return ask({ kind: "write", buffer, offset, data: copy }, what, [copy])
    },
    enlargeArena: (bytes, what) => {
      checkSize(bytes, what)
      if (bytes <= arenaBytes) return Promise.resolve()
      const before = arenaBytes
      arenaBytes = bytes
      return ask({ kind: "create", buffer: ARENA, bytes }, `making ${what}`).catch((error) => {
        arenaBytes = before
        throw error
      })
    },
    arenaBytes: () => arenaBytes,
  }
}
