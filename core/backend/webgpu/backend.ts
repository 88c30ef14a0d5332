/**
 * A GPU through WebGPU: slots are buffers of the device, a run is one submit, results are read together.
 *
 * The device lives in a worker; this side lowers programs to WGSL, posts requests in order and awaits replies.
 * @module
 */
import type * as Layer from "effect/Layer"
import type { DType } from "../../../kernels/contract.ts"
import { bytesFor } from "../../../kernels/encoding.ts"
import { encodingOf, F32 } from "../../../kernels/encodings.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { Backend, BackendService, CallTime, Executable, RunData, Slot, SlotData } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { resource, type Started } from "../_resource.ts"
import { checkWrite, decoded, encoded, makeSlot, slotsOf } from "../_slots.ts"
import { startDevice } from "./_device.ts"
import type { Region } from "./_worker.ts"
import { lower, paddedBytes, type PlannedRegion, type WebgpuPlan } from "./lower.ts"

/** Which device is taken. */
export interface WebgpuOptions {
  /** Whether a software adapter (lavapipe, SwiftShader) will do. Default: yes. */
  readonly software?: boolean
}

const mebibytes = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MiB`

/** Number of the buffer with the temporaries of all programs. */
const ARENA = 0

const arrayOf = (dtype: DType, bytes: ArrayBuffer) => dtype === "i32" ? new Int32Array(bytes) : new Float32Array(bytes)

/** Times of the calls, from those of the dispatches in nanoseconds; the first begins at 0. */
const timesOf = ({ dispatches }: WebgpuPlan, bytes: ArrayBuffer): ReadonlyArray<CallTime> => {
  const stamps = new BigUint64Array(bytes)
  const at = (i: number) => Number(stamps[i] - stamps[0]) / 1e6
  const calls = new Map<number, CallTime>()
  dispatches.forEach(({ call }, i) => {
    calls.set(call, { call, thread: 0, start: calls.get(call)?.start ?? at(2 * i), end: at(2 * i + 1) })
  })
  return [...calls.values()]
}

const start = async (
  { software = true }: WebgpuOptions,
): Promise<Started> => {
  const device = await startDevice(software)
  const { facts } = device
  const { limits } = facts
  const { ask } = device

  let bufferNumbers = ARENA + 1
  let slotBytes = 0, arenaBytes = 0
  const checkSize = (bytes: number, what: string): void => {
    if (bytes <= limits.maxBufferSize) return
    throw new BackendError({
      reason: "OutOfMemory",
      message: `No room for ${what}: ${mebibytes(bytes)} asked, a buffer of this device holds at most ` +
        `${mebibytes(limits.maxBufferSize)}. Use a smaller batch, shorter texts or a smaller model.`,
    })
  }
  const create = (bytes: number, what: string): { readonly buffer: number; readonly made: Promise<unknown> } => {
    checkSize(bytes, what)
    const buffer = bufferNumbers++
    return { buffer, made: ask({ kind: "create", buffer, bytes }, `making ${what}`) }
  }

  const slots = new Map<number, { readonly slot: Slot; readonly buffer: number; readonly bytes: number }>()
  let slotNumbers = 0
  const heldOf = (slot: Slot) => {
    const held = slots.get(slot.id)
    if (held?.slot === slot) return held
    throw new BackendError({
      reason: "BadInput",
      message: `Slot ${slot.id} "${slot.name}" was freed or is not of this backend`,
    })
  }
  const allocate: BackendService["allocate"] = (name, shape, dtype, storage) => {
    const lost = device.lost()
    if (lost !== undefined) throw lost
    const slot = makeSlot(slotNumbers, name, shape, dtype, storage)
    const bytes = paddedBytes(sizeOf(shape), encodingOf(storage))
    const { buffer, made } = create(bytes, `slot "${name}" [${shape}]`)
    made.catch(() => {}) // whoever uses the slot hears of it
    slotNumbers++
    slots.set(slot.id, { slot, buffer, bytes })
    slotBytes += bytes
    return slot
  }
  const destroy = (buffers: ReadonlyArray<number>): void => {
    ask({ kind: "destroy", buffers }, "giving memory back").catch(() => {}) // a lost device holds nothing
  }
  const free = (slot: Slot): void => {
    const held = slots.get(slot.id)
    if (held === undefined) return
    slots.delete(slot.id)
    slotBytes -= held.bytes
    destroy([held.buffer])
  }
  const writeBuffer = (buffer: number, offset: number, data: Float32Array | Int32Array, what: string) => {
    // The caller may use its array again; the copy goes over without another one.
    const copy = data.slice().buffer as ArrayBuffer
    return ask({ kind: "write", buffer, offset, data: copy }, what, [copy])
  }
  const write = async (slot: Slot, data: SlotData, offset = 0): Promise<void> => {
    const { buffer } = heldOf(slot)
    checkWrite(slot, data, offset)
    const what = `writing slot "${slot.name}"`
    const encoding = encodingOf(slot.storage)
    // Deno does not survive a write of nothing.
    if (data.length === 0) return
    const start = bytesFor(encoding, offset)
    if (encoding === F32 && !(data instanceof Uint8Array)) return void await writeBuffer(buffer, start, data, what)
    // In words of four bytes; those of the first and the last one may be another's.
    const bytes = encoded(encoding, data)
    const first = start % 4, end = start + bytes.length, after = -(end % 4) & 3
    const words = new Uint8Array(first + bytes.length + after)
    words.set(bytes, first)
    const keep = { first, last: end < bytesFor(encoding, sizeOf(slot.shape)) ? after : 0 }
    await ask({ kind: "write", buffer, offset: start - first, data: words.buffer, keep }, what, [words.buffer])
  }
  const read = async (slot: Slot): Promise<Float32Array | Int32Array> => {
    const { buffer } = heldOf(slot)
    const encoding = encodingOf(slot.storage)
    const length = sizeOf(slot.shape), size = bytesFor(encoding, length)
    const region = { buffer, offset: 0, bytes: 4 * Math.ceil(size / 4) }
    const [bytes] = await ask({ kind: "read", region }, `reading slot "${slot.name}"`)
    return encoding === F32 ? arrayOf(slot.dtype, bytes) : decoded(encoding, new Uint8Array(bytes, 0, size), length)
  }

  const options = {
    device: {
      subgroups: facts.subgroups,
      software: facts.software,
      workgroupsPerAxis: limits.maxComputeWorkgroupsPerDimension,
      storageBindings: limits.maxStorageBuffersPerShaderStage,
    },
    bindingBytes: limits.maxStorageBufferBindingSize,
    enableSubgroups: facts.enableSubgroups,
  }
  /** Numbers of the shaders by their text, over all programs. */
  const shaderNumbers = new Map<string, number>()
  let shaders = 0, programs = 0
  const compile: BackendService["compile"] = async (program, { trace } = {}) => {
    const lost = device.lost()
    if (lost !== undefined) throw lost
    const used = slotsOf(program, slots)
    const plan = lower(program, options)
    const what = `program "${plan.name}"`
    checkSize(plan.arenaBytes, `the temporaries of ${what}`)
    const own: Array<number> = []
    const made: Array<Promise<unknown>> = []
    if (plan.arenaBytes > arenaBytes) {
      const before = arenaBytes
      arenaBytes = plan.arenaBytes
      made.push(
        ask({ kind: "create", buffer: ARENA, bytes: arenaBytes }, `making the temporaries of ${what}`).catch(
          (error) => {
            arenaBytes = before
            throw error
          },
        ),
      )
    }
    const createOwn = (bytes: number, part: string): number => {
      if (bytes === 0) return -1
      const { buffer, made: done } = create(bytes, `the ${part} of ${what}`)
      own.push(buffer)
      made.push(done)
      return buffer
    }
    const inputs = createOwn(plan.inputBytes, "inputs")
    const constants = createOwn(plan.constantBytes, "constants")
    const timeBytes = trace !== undefined && facts.timestamps ? 16 * plan.dispatches.length : 0
    const times = createOwn(timeBytes, "times")
    for (const { offset, data } of plan.constants) {
      made.push(writeBuffer(constants, offset, data, `writing the constants of ${what}`))
    }
    const region = ({ place, offset, bytes }: PlannedRegion): Region => ({
      buffer: place === "arena"
        ? ARENA
        : place === "inputs"
        ? inputs
        : place === "constants"
        ? constants
        : slots.get(place)!.buffer,
      offset,
      bytes,
    })
    const fresh = plan.shaders.filter(({ code }) => !shaderNumbers.has(code))
    for (const { code } of fresh) shaderNumbers.set(code, shaders++)
    const numberOf = plan.shaders.map(({ code }) => shaderNumbers.get(code)!)
    const number = programs++
    made.push(
      ask({
        kind: "load",
        program: number,
        label: plan.name,
        shaders: fresh.map((shader) => ({ ...shader, number: shaderNumbers.get(shader.code)! })),
        dispatches: plan.dispatches.map((dispatch) => ({
          ...dispatch,
          shader: numberOf[dispatch.shader],
          bindings: dispatch.bindings.map(region),
        })),
        inputs,
        outputs: [
          ...plan.outputs.map(region),
          ...timeBytes > 0 ? [{ buffer: times, offset: 0, bytes: timeBytes }] : [],
        ],
        times,
      }, `compiling ${what}`),
    )
    const results = await Promise.allSettled(made)
    const failed = results.find((result) => result.status === "rejected")
    if (failed !== undefined) {
      destroy(own)
      for (const { code } of fresh) shaderNumbers.delete(code)
      throw failed.reason
    }

    const check = (given: RunData): void => {
      for (const { name, length, dtype } of plan.inputs) {
        const data = given[name]
        if (data?.length === length && (data instanceof Int32Array) === (dtype === "i32")) continue
        const got = data === undefined ? "nothing" : `${data.length} elements of a ${data.constructor.name}`
        throw new BackendError({
          reason: "BadInput",
          message: `Input "${name}" of ${what} takes ${length} ${dtype} elements, not ${got}`,
        })
      }
      for (const { slot } of used) heldOf(slot)
    }
    let disposed = false
    const run: Executable["run"] = async (given) => {
      check(given)
      if (disposed) throw new BackendError({ reason: "BadInput", message: `${what} was disposed` })
      const bytes = new ArrayBuffer(plan.inputBytes)
      for (const { name, offset, length, dtype } of plan.inputs) {
        const to = dtype === "i32" ? new Int32Array(bytes, offset, length) : new Float32Array(bytes, offset, length)
        to.set(given[name])
      }
      const data = await ask({ kind: "run", program: number, inputs: bytes }, what, [bytes])
      if (timeBytes > 0) trace?.(timesOf(plan, data[plan.outputs.length]))
      return Object.fromEntries(plan.outputs.map(({ name, dtype }, i) => [name, arrayOf(dtype, data[i])]))
    }
    const dispose = (): void => {
      if (disposed) return
      disposed = true
      ask({ kind: "unload", program: number }, `disposing ${what}`).catch(() => {}) // a lost device holds nothing
      destroy(own)
    }
    return { run, temporaryBytes: plan.arenaBytes, dispose }
  }

  return {
    service: {
      info: { name: "webgpu", description: `GPU by WebGPU, ${facts.description}`, threads: 1 },
      allocate,
      free,
      write,
      read,
      compile,
      memory: () => ({ slotBytes, temporaryBytes: arenaBytes, totalBytes: device.bytes() }),
    },
    close: device.close,
  }
}

/** The backend as a resource: device and worker end with the scope. Fails with `Unsupported` where there is none. */
export const layer = (options: WebgpuOptions = {}): Layer.Layer<Backend, BackendError> =>
  resource("webgpu", () => start(options))
