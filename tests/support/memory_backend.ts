/**
 * A backend that keeps slots in arrays and runs programs in float64 by the kernels' references.
 * @module
 */
import * as Layer from "effect/Layer"
import { Backend, type BackendService, type Slot } from "../../core/backend/backend.ts"
import { interpret } from "../../core/graph/interpret.ts"

/** A backend whose memory a test can look into. */
export interface MemoryBackend extends BackendService {
  readonly slots: Map<number, Float64Array>
}

/** Makes one. */
export function memoryBackend(): MemoryBackend {
  const slots = new Map<number, Float64Array>()
  let count = 0
  return {
    slots,
    info: { name: "wasm", description: "float64 references", threads: 1 },
    allocate: (name, shape, dtype = "f32"): Slot => {
      slots.set(count, new Float64Array(shape.reduce((a, b) => a * b, 1)))
      return { id: count++, name, shape, dtype }
    },
    checkRoom: () => Promise.resolve(),
    free: (slot) => void slots.delete(slot.id),
    write: (slot, data, offset = 0) => Promise.resolve(slots.get(slot.id)!.set(data, offset)),
    read: (slot) => Promise.resolve(Float32Array.from(slots.get(slot.id)!)),
    readEncoded: (slot, first = 0, count) => {
      const data = slots.get(slot.id)!
      return Promise.resolve(
        new Uint8Array(Float32Array.from(data.subarray(first, first + (count ?? data.length))).buffer),
      )
    },
    temporaryBytes: () => 0,
    compile: (program) =>
      Promise.resolve({
        run: (inputs) => {
          const results = Object.entries(interpret(program, slots, inputs))
          return Promise.resolve(Object.fromEntries(results.map(([name, data]) => [name, Float32Array.from(data)])))
        },
        temporaryBytes: 0,
        dispose: () => {},
      }),
    memory: () => ({ slotBytes: 0, temporaryBytes: 0, totalBytes: 0 }),
  }
}

/** A layer over a backend. */
export function memoryLayer(backend: MemoryBackend): Layer.Layer<Backend> {
  return Layer.succeed(Backend, backend)
}
