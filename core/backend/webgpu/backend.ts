/**
 * A GPU through WebGPU: slots are device buffers, a run is one submit, results are read together.
 *
 * The device lives in a worker; this side lowers programs to WGSL, posts requests in order and awaits replies.
 * @module
 */
import type * as Layer from "effect/Layer"
import type { Backend } from "../backend.ts"
import type { BackendError } from "../backend_error.ts"
import { makeSlotTable } from "../slot_table.ts"
import { resource, type Started } from "../resource.ts"
import { startDevice } from "./device.ts"
import { makeBuffers } from "./buffers.ts"
import { makeCompile } from "./executable.ts"
import { slotMemory } from "./slot_memory.ts"

/** Options of the backend. */
export interface WebgpuOptions {
  /** Whether to accept a software adapter (lavapipe, SwiftShader). Default: yes. */
  readonly software?: boolean
}

const start = async ({ software = true }: WebgpuOptions): Promise<Started> => {
  const device = await startDevice(software)
  const buffers = makeBuffers(device)
  const slots = makeSlotTable(slotMemory(buffers))
  return {
    service: {
      info: { name: "webgpu", description: `GPU by WebGPU, ${device.facts.description}`, threads: 1 },
      allocate: slots.allocate,
      free: slots.free,
      write: slots.write,
      read: slots.read,
      readEncoded: slots.readEncoded,
      compile: makeCompile(buffers, slots),
      memory: () => ({
        slotBytes: [...slots.held.values()].reduce((sum, { memory }) => sum + memory.bytes, 0),
        temporaryBytes: buffers.arenaBytes(),
        totalBytes: device.bytes(),
      }),
    },
    close: device.close,
  }
}

/** The backend as a resource; device and worker end with the scope. Fails with `Unsupported` without a device. */
export const layer = (options: WebgpuOptions = {}): Layer.Layer<Backend, BackendError> =>
  resource("webgpu", () => start(options))
