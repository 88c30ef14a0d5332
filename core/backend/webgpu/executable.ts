/**
 * Lowers programs to WGSL, compiles them and loads them into the device's thread.
 * @module
 */
import type { BackendService, CallTime, Executable, RunData } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { checkInputs } from "../check_inputs.ts"
import type { SlotTable } from "../slots/slot_table.ts"
import { slotsOf } from "../slots/slots.ts"
import type { Region } from "./worker/protocol.ts"
import { ARENA, type DeviceBuffers } from "./buffers.ts"
import type { Device } from "./device.ts"
import { lower, type LowerOptions, type PlannedRegion, type WebgpuPlan } from "./lower.ts"
import { arrayOf, type SlotBuffer } from "./slot_memory.ts"

/** Times of the calls from the dispatches' nanoseconds; the first starts at 0. */
const timesOf = ({ dispatches }: WebgpuPlan, bytes: ArrayBuffer): ReadonlyArray<CallTime> => {
  const stamps = new BigUint64Array(bytes)
  const at = (i: number) => Number(stamps[i] - stamps[0]) / 1e6
  const calls = new Map<number, CallTime>()
  dispatches.forEach(({ call }, i) => {
    calls.set(call, { call, thread: 0, start: calls.get(call)?.start ?? at(2 * i), end: at(2 * i + 1) })
  })
  return [...calls.values()]
}

/** The bytes of a plan's inputs, concatenated. */
const inputBytes = ({ inputs, inputBytes }: WebgpuPlan, given: RunData): ArrayBuffer => {
  const bytes = new ArrayBuffer(inputBytes)
  for (const { name, offset, length, dtype } of inputs) {
    const to = dtype === "i32" ? new Int32Array(bytes, offset, length) : new Float32Array(bytes, offset, length)
    to.set(given[name])
  }
  return bytes
}

/** Waits until all have settled, then throws the first failure. */
const settle = async (made: ReadonlyArray<Promise<unknown>>): Promise<void> => {
  const failed = (await Promise.allSettled(made)).find((result) => result.status === "rejected")
  if (failed !== undefined) throw failed.reason
}

/** What programs are lowered for: a device with bindings of at most so many bytes. */
export const lowerOptions = ({ facts }: Device, bindingBytes: number): LowerOptions => ({
  device: {
    subgroups: facts.subgroups,
    software: facts.software,
    workgroupsPerAxis: facts.limits.maxComputeWorkgroupsPerDimension,
    storageBindings: facts.limits.maxStorageBuffersPerShaderStage,
  },
  bindingBytes,
  enableSubgroups: facts.enableSubgroups,
})

/** The backend's `compile`. */
export const makeCompile = (
  buffers: DeviceBuffers,
  slots: SlotTable<SlotBuffer>,
  options: LowerOptions,
): BackendService["compile"] => {
  const { device, create, destroy, writeBuffer, enlargeArena } = buffers
  const { facts, ask } = device
  let programs = 0
  return async (program, { trace } = {}) => {
    const lost = device.lost()
    if (lost !== undefined) throw lost
    const used = slotsOf(program, slots.held)
    const plan = lower(program, options)
    const what = `program "${plan.name}"`
    const own: Array<number> = []
    const made: Array<Promise<unknown>> = [enlargeArena(plan.arenaBytes, `the temporaries of ${what}`)]
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
    const region = ({ place, offset, bytes }: PlannedRegion): Region => {
      if (typeof place !== "number") return { buffer: { arena: ARENA, inputs, constants }[place], offset, bytes }
      // A binding lies in one piece: pieces are whole bindings.
      const { buffers: pieces, pieceBytes } = slots.held.get(place)!.memory
      return { buffer: pieces[Math.floor(offset / pieceBytes)], offset: offset % pieceBytes, bytes }
    }
    const number = programs++
    const load = {
      kind: "load",
      program: number,
      label: plan.name,
      shaders: plan.shaders,
      dispatches: plan.dispatches.map((dispatch) => ({ ...dispatch, bindings: dispatch.bindings.map(region) })),
      inputs,
      outputs: [...plan.outputs.map(region), ...timeBytes > 0 ? [{ buffer: times, offset: 0, bytes: timeBytes }] : []],
      times,
    } as const
    try {
      await settle([...made, ask(load, `compiling ${what}`)])
    } catch (error) {
      destroy(own)
      throw error
    }

    let disposed = false
    const run: Executable["run"] = async (given) => {
      checkInputs(plan.inputs, given, what)
      for (const { slot } of used) slots.heldOf(slot, what)
      if (disposed) throw new BackendError({ reason: "BadInput", message: `${what} was disposed` })
      const bytes = inputBytes(plan, given)
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
}
