/**
 * Lowers and compiles programs and loads them into the workers.
 * @module
 */
import type { Target } from "../../../kernels/wasm/assembler.ts"
import type { BackendService, CallTime, Executable } from "../backend.ts"
import { BackendError } from "../backend_error.ts"
import { checkInputs } from "../check_inputs.ts"
import type { SlotTable } from "../slots/slot_table.ts"
import { slotsOf } from "../slots/slots.ts"
import type { Region } from "./threads/worker.ts"
import { lower } from "./lower.ts"
import type { EngineMemory, Place } from "./memories.ts"
import type { PlannedRegion } from "./program_memory.ts"
import type { Enqueue } from "./threads/queue.ts"
import type { Workers } from "./threads/workers.ts"

/** The parts of a backend. */
export interface Engine {
  readonly threads: number
  readonly shared: boolean
  readonly target: Target
  readonly workers: Workers
  readonly enqueue: Enqueue
  readonly memory: EngineMemory
  readonly slots: SlotTable<Place>
}

/** The clock readings [calls, threads, start and end] of a run as times of its calls. */
const callTimes = (readings: ArrayLike<number>, threads: number): ReadonlyArray<CallTime> =>
  Array.from({ length: readings.length / 2 }, (_, i) => ({
    call: Math.floor(i / threads),
    thread: i % threads,
    start: readings[2 * i],
    end: readings[2 * i + 1],
  }))

const compileModule = (code: Uint8Array<ArrayBuffer>, what: string): Promise<WebAssembly.Module> =>
  WebAssembly.compile(code).catch((cause) => {
    throw new BackendError({ reason: "Compile", message: `${what} is not valid WebAssembly: ${cause}`, cause })
  })

/** The backend's `compile`. */
export const makeCompile = (engine: Engine): BackendService["compile"] => {
  const { threads, shared, target, workers, enqueue, memory, slots } = engine
  let programs = 0
  return async (program, { trace } = {}) => {
    const lost = workers.lost()
    if (lost !== undefined) throw lost
    const used = slotsOf(program, slots.held)
    const slotPlace = (id: number) => slots.held.get(id)!.memory
    const plan = lower(program, { target, threads, shared, trace: trace !== undefined, slotPlace })
    const number = programs++
    const what = `program "${program.name}"`
    const module = await compileModule(plan.code, what)
    memory.enlargeArena(plan.arenaBytes, `the temporaries of ${what}`)
    const constants = plan.constantBytes > 0
      ? memory.reserve(plan.constantBytes, `the constants of ${what}`)
      : undefined
    await Promise.all([
      ...plan.constants.map(({ offset, data }) =>
        memory.access(0).write(constants!.address + offset, data, `the constants of ${what}`)
      ),
      enqueue(false, () => workers.ask({ kind: "load", program: number, module }, `loading ${what}`)),
    ])

    const address = ({ base, offset }: PlannedRegion) =>
      offset + (base === "arena" ? memory.arena() : base === "constants" ? constants!.address : 0)
    const region = (planned: PlannedRegion): Region => ({
      address: address(planned),
      length: planned.length,
      dtype: planned.dtype,
    })
    let disposed = false
    const run: Executable["run"] = async (inputs) => {
      used.forEach(({ slot }) => slots.heldOf(slot, what))
      checkInputs(plan.inputs, inputs, what)
      if (disposed) throw new BackendError({ reason: "BadInput", message: `${what} was disposed` })
      // Addresses as of now: later owners of the same bytes write after this run. Inputs are copied, since the caller
      // may reuse its arrays before this run's turn.
      const question = {
        kind: "run" as const,
        program: number,
        arena: memory.arena(),
        constants: constants?.address ?? 0,
        inputs: plan.inputs.map((input) => ({ address: address(input), data: inputs[input.name].slice() })),
        outputs: [...plan.outputs, ...plan.times === undefined ? [] : [plan.times]].map(region),
        times: plan.times === undefined ? null : region(plan.times),
        began: performance.timeOrigin + performance.now(),
      }
      const data = await enqueue(false, () => workers.ask(question, what))
      trace?.(callTimes(data.at(-1)!, threads))
      return Object.fromEntries(plan.outputs.map(({ name }, i) => [name, data[i]]))
    }
    const dispose = (): void => {
      if (disposed) return
      disposed = true
      // After the runs posted so far. A lost backend holds nothing.
      enqueue(true, () => {
        if (constants !== undefined) memory.free(constants)
        workers.unload(number)
        return Promise.resolve()
      }).catch(() => {})
    }
    return { run, temporaryBytes: plan.arenaBytes, dispose }
  }
}
