/**
 * A GPU through WebGPU: slots are device buffers, a run is one submit, results are read together.
 *
 * The device lives in a worker; this side lowers programs to WGSL, posts requests in order and awaits replies.
 * @module
 */
import type * as Layer from "effect/Layer"
import type { Backend } from "../backend.ts"
import type { BackendError } from "../backend_error.ts"
import { roomCheck } from "../slots/slots.ts"
import { makeSlotTable } from "../slots/slot_table.ts"
import { resource, type Started } from "../resource.ts"
import { startDevice } from "./device.ts"
import { makeBuffers } from "./buffers.ts"
import { lowerOptions, makeCompile } from "./executable.ts"
import { lower, wholeUnits } from "./lower.ts"
import { ADDRESSED, slotMemory } from "./slot_memory.ts"

/** Options of the backend. */
export interface WebgpuOptions {
  /** Whether to accept a software adapter (lavapipe, SwiftShader). Default: yes. */
  readonly software?: boolean
  /**
   * Most bytes of a binding, and of a buffer of a slot; larger slots have several. Small numbers are for tests. Default: the
   * device's limits.
   */
  readonly slotBytes?: number
}

/** Bindings of a product beside those of its weights. */
const OTHER_BINDINGS = 3

const start = async ({ software = true, slotBytes: most = Infinity }: WebgpuOptions): Promise<Started> => {
  const device = await startDevice(software)
  const buffers = makeBuffers(device)
  const { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } = device.facts.limits
  const bindingBytes = wholeUnits(Math.min(maxStorageBufferBindingSize, maxBufferSize, most))
  const pieceBytes = Math.floor(Math.min(maxBufferSize, most) / bindingBytes) * bindingBytes
  const bindings = Math.max(1, maxStorageBuffersPerShaderStage - OTHER_BINDINGS)
  const room = { tensor: Math.min(ADDRESSED, bindings * bindingBytes), free: Infinity, frozenApart: true }
  const lowering = lowerOptions(device, bindingBytes)
  const slots = makeSlotTable(slotMemory(buffers, pieceBytes))
  return {
    service: {
      info: { name: "webgpu", description: `GPU by WebGPU, ${device.facts.description}`, threads: 1 },
      allocate: slots.allocate,
      free: slots.free,
      checkRoom: roomCheck(() => room),
      write: slots.write,
      read: slots.read,
      temporaryBytes: (program) => lower(program, lowering).arenaBytes,
      compile: makeCompile(buffers, slots, lowering),
      readEncoded: slots.readEncoded,
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
