import { assert } from "@std/assert"
import type { Program } from "../../core/graph/program.ts"
import type { RunData } from "../../core/backend/backend.ts"
import type { WasmOptions } from "../../core/backend/wasm/backend.ts"
import { accessesOf } from "../../core/graph/fuse/accesses.ts"
import { interpret } from "../../core/graph/interpret.ts"
import type { DType } from "../../kernels/contract.ts"
import type { BuiltinCall as Call } from "../../kernels/builtin.ts"
import type { Case } from "./compare.ts"
import { onDevice, runAllBuffers } from "./webgpu.ts"
import { withBackend } from "../core/backend/wasm/with_backend.ts"

const settings: ReadonlyArray<WasmOptions> = [
  { threads: 1 },
  { threads: 2 },
  { threads: 3 },
  { threads: 2, wideVectors: true },
  { threads: 2, relaxedSimd: false },
  { threads: 2, relaxedSimd: false, wideVectors: true },
  { sharedMemory: false },
]

const dtypeOf = (data: Float32Array | Int32Array): DType => data instanceof Int32Array ? "i32" : "f32"

/** Numbers of the buffers that a call writes. */
const written = (call: Call): ReadonlyArray<number> => [...new Set(accessesOf(call).writes)]
/** What the written buffers must hold, by number. */
const expected = ({ name, call, buffers }: Case): Map<number, Float64Array> => {
  const slots = new Map(written(call).map((buffer) => [buffer, Float64Array.from(buffers[buffer])]))
  interpret(program(name, call, buffers, (buffer) => buffer), slots, inputsOf(call, buffers))
  return slots
}
const program = (name: string, call: Call, buffers: Case["buffers"], slotOf: (buffer: number) => number): Program => ({
  name,
  buffers: buffers.map((data, i) => ({
    size: data.length,
    dtype: dtypeOf(data),
    source: written(call).includes(i) ? { kind: "slot", slot: slotOf(i) } : { kind: "input", name: `${i}` },
  })),
  calls: [call],
  outputs: [],
})
const inputsOf = (call: Call, buffers: Case["buffers"]): RunData =>
  Object.fromEntries(
    buffers.flatMap((data, i) => written(call).includes(i) ? [] : [[`${i}`, data]]),
  )

const assertClose = (got: Float32Array | Int32Array, want: Float64Array, tolerance: number, where: string): void =>
  want.forEach((value, i) => {
    const same = Object.is(value, got[i]) || Number.isNaN(value) && Number.isNaN(got[i]) ||
      value === got[i] || Math.abs(value - got[i]) <= tolerance * (1 + Math.abs(value))
    assert(same, `${where}: element ${i} is ${got[i]}, not ${value}`)
  })

/** Runs each case with each setting of the engine against float64; neither threads nor wide vectors may change a bit. */
export const onWasm = async (cases: ReadonlyArray<Case>): Promise<void> => {
  const exact = new Map<string, Float32Array | Int32Array>()
  const wanted = cases.map(expected)
  for (const options of settings) {
    await withBackend(options, async (backend) => {
      for (const [i, { name, call, buffers, tolerance = 2e-6 }] of cases.entries()) {
        const slots = new Map(
          written(call).map((buffer) => {
            const data = buffers[buffer]
            return [buffer, backend.allocate(`out ${buffer}`, [data.length], dtypeOf(data))]
          }),
        )
        for (const [buffer, slot] of slots) await backend.write(slot, buffers[buffer])
        const executable = await backend.compile(program(name, call, buffers, (buffer) => slots.get(buffer)!.id))
        await executable.run(inputsOf(call, buffers))
        for (const [buffer, want] of wanted[i]) {
          const where = `${name} ${JSON.stringify(options)} buffer ${buffer}`
          const got = await backend.read(slots.get(buffer)!)
          assertClose(got, want, tolerance, where)
          const key = `${name} ${options.relaxedSimd} ${buffer}`
          const before = exact.get(key)
          if (before === undefined) exact.set(key, got)
          else {
            const [a, b] = [before, got].map((data) => new Int32Array(data.buffer))
            assert(a.every((bits, i) => bits === b[i]), `${where}: not bit-identical to one thread`)
          }
        }
        executable.dispose()
        for (const slot of slots.values()) backend.free(slot)
      }
    })
  }
}

/** Registers a test of the cases for each backend; shaders as written for a GPU and for a CPU in disguise. */
export const testAll = (name: string, cases: ReadonlyArray<Case>): void => {
  Deno.test(name, () => onWasm(cases))
  onDevice(name, async (device) => {
    for (const one of cases) {
      const want = expected(one)
      for (const software of [false, true]) {
        const got = await runAllBuffers(device, one.call, one.buffers, software)
        for (const [buffer, values] of want) {
          const where = `${one.name} ${software ? "software" : "GPU"} buffer ${buffer}`
          assertClose(got[buffer], values, one.tolerance ?? 2e-6, where)
        }
      }
    }
  })
}
