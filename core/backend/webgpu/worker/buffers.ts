import type { Failure, RequestOf } from "./protocol.ts"

/** Buffers of the device, by number. */
export interface Buffers {
  /** Makes a buffer without a number. */
  readonly make: (bytes: number, usage: number, label: string) => GPUBuffer
  readonly drop: (buffer: GPUBuffer | undefined) => void
  /** Makes a buffer of zeros; replaces an existing one of this number. */
  readonly create: (number: number, bytes: number) => Promise<void>
  readonly destroy: (numbers: ReadonlyArray<number>) => void
  readonly of: (number: number) => GPUBuffer
  readonly write: (request: RequestOf<"write">) => Promise<void>
  /** Bytes of all buffers. */
  readonly held: () => number
  /** Number of replaced buffers: bind groups are valid for one version. */
  readonly version: () => number
}

/** No buffers yet. */
export function makeBuffers(device: GPUDevice): Buffers {
  const MOST_UNSENT = 1 << 25
  const buffers = new Map<number, GPUBuffer>()
  /** Bytes written since the last submit. */
  let unsent = 0
  let held = 0, version = 0
  const outOfMemory = (message: string): Failure => ({ reason: "OutOfMemory", message })
  const make = (bytes: number, usage: number, label: string): GPUBuffer => {
    const buffer = device.createBuffer({ size: bytes, usage, label })
    held += bytes
    return buffer
  }
  const drop = (buffer: GPUBuffer | undefined): void => {
    if (buffer === undefined) return
    held -= buffer.size
    buffer.destroy()
  }
  const of = (number: number): GPUBuffer => {
    const buffer = buffers.get(number)
    if (buffer === undefined) throw outOfMemory(`GPU buffer ${number} could not be made`)
    return buffer
  }
  /** Merges the bytes that a write must keep into the data. */
  const keepBytes = async ({ buffer, offset, data, keep }: RequestOf<"write">): Promise<void> => {
    if (!keep?.first && !keep?.last) return
    const end = data.byteLength - 4
    const words = make(8, 1 | 8, "words") // MAP_READ | COPY_DST
    try {
      const encoder = device.createCommandEncoder()
      encoder.copyBufferToBuffer(of(buffer), offset, words, 0, 4)
      encoder.copyBufferToBuffer(of(buffer), offset + end, words, 4, 4)
      device.queue.submit([encoder.finish()])
      await words.mapAsync(1) // READ
      const old = new Uint8Array(words.getMappedRange()), bytes = new Uint8Array(data)
      bytes.set(old.subarray(0, keep.first))
      bytes.set(old.subarray(8 - keep.last), bytes.length - keep.last)
    } finally {
      drop(words)
    }
  }
  return {
    make,
    drop,
    of,
    create: async (number, bytes) => {
      device.pushErrorScope("validation")
      device.pushErrorScope("out-of-memory")
      const buffer = make(bytes, 512 | 128 | 4 | 8, `buffer ${number}`) // QUERY_RESOLVE | STORAGE | COPY_SRC | COPY_DST
      const problems = [await device.popErrorScope(), await device.popErrorScope()]
      for (const problem of problems) {
        if (problem === null) continue
        drop(buffer)
        throw outOfMemory(`the device has no room for ${bytes} bytes: ${problem.message}`)
      }
      if (buffers.has(number)) version++
      drop(buffers.get(number))
      buffers.set(number, buffer)
    },
    destroy: (numbers) => {
      for (const number of numbers) {
        drop(buffers.get(number))
        buffers.delete(number)
      }
    },
    write: async (request) => {
      const { buffer, offset, data } = request
      await keepBytes(request)
      device.queue.writeBuffer(of(buffer), offset, data)
      unsent += data.byteLength
      if (unsent <= MOST_UNSENT) return
      // Written data is kept a second time in host memory until the next submit.
      device.queue.submit([])
      unsent = 0
    },
    held: () => held,
    version: () => version,
  }
}
