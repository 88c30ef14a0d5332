import type { Buffers } from "./buffers.ts"
import type { Failure, Region } from "./protocol.ts"

/**
 * Records and submits commands, then copies regions to the host; copies of several submits are read together. Throws
 * where the commands cannot be recorded.
 */
export type Submit = (
  label: string,
  regions: ReadonlyArray<Region>,
  record: (encoder: GPUCommandEncoder) => void,
) => Promise<Array<ArrayBuffer>>

/** Makes the function that submits. */
export function makeSubmit(device: GPUDevice, buffers: Buffers): Submit {
  /** Submitted copies that are not yet read. */
  let pending: Array<() => Promise<void>> = []
  let reading = false
  const readAll = async (): Promise<void> => {
    while (pending.length > 0) {
      const batch = pending
      pending = []
      await Promise.all(batch.map((read) => read()))
    }
    reading = false
  }
  const read = async (
    staging: GPUBuffer,
    parts: ReadonlyArray<Region>,
    failed: Promise<GPUError | null>,
  ): Promise<Array<ArrayBuffer>> => {
    try {
      const problem = await failed
      if (problem !== null) throw { reason: "Run", message: problem.message } satisfies Failure
      await staging.mapAsync(1) // READ
      const all = staging.getMappedRange()
      return parts.map(({ offset, bytes }) => all.slice(offset, offset + bytes))
    } finally {
      buffers.drop(staging)
    }
  }
  return (label, regions, record) => {
    let bytes = 0
    const parts = regions.map((region) => {
      const part = { ...region, offset: bytes }
      bytes += region.bytes
      return part
    })
    device.pushErrorScope("validation")
    let failed: Promise<GPUError | null> | undefined
    const staging = buffers.make(Math.max(4, bytes), 1 | 8, "results") // MAP_READ | COPY_DST
    try {
      const encoder = device.createCommandEncoder({ label })
      record(encoder)
      regions.forEach(({ buffer, offset, bytes }, i) => {
        if (bytes > 0) encoder.copyBufferToBuffer(buffers.of(buffer), offset, staging, parts[i].offset, bytes)
      })
      device.queue.submit([encoder.finish()])
    } catch (cause) {
      buffers.drop(staging)
      throw cause
    } finally {
      failed = device.popErrorScope()
    }
    return new Promise((resolve, reject) => {
      pending.push(() => read(staging, parts, failed).then(resolve, reject))
      if (reading) return
      reading = true
      // After the requests received so far, so that all results are read at once.
      setTimeout(readAll, 0)
    })
  }
}
