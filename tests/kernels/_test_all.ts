import { assert } from "@std/assert"
import type { Program } from "../../core/graph/program.ts"
import type { RunData } from "../../core/backend/backend.ts"
import type { WasmOptions } from "../../core/backend/wasm/backend.ts"
import { interpret } from "../../core/graph/interpret.ts"
import type { Call, DType } from "../../kernels/contract.ts"
import type { Case } from "./_compare.ts"
import { onDevice, runAlone } from "./_webgpu.ts"
import { withBackend } from "../core/backend/wasm/_with_backend.ts"

const settings: ReadonlyArray<WasmOptions> = [
  { threads: 1 },
  { threads: 2 },
  { threads: 3 },
  { threads: 2, relaxedSimd: false },
  { sharedMemory: false },
]

const dtypeOf = (data: Float32Array | Int32Array): DType => data instanceof Int32Array ? "i32" : "f32"

/** What the last buffer must hold. */
const expected = ({ name, call, buffers }: Case): Float64Array => {
  const last = buffers.length - 1
  const slots = new Map([[0, Float64Array.from(buffers[last])]])
  interpret(program(name, call, buffers, 0), slots, inputsOf(buffers))
  return slots.get(0)!
}
const program = (name: string, call: Call, buffers: Case["buffers"], slot: number): Program => ({
  name,
  buffers: buffers.map((data, i) => ({
    size: data.length,
    dtype: dtypeOf(data),
    source: i === buffers.length - 1 ? { kind: "slot", slot } : { kind: "input", name: `${i}` },
  })),
  calls: [call],
  outputs: [],
})
const inputsOf = (buffers: Case["buffers"]): RunData =>
  Object.fromEntries(buffers.slice(0, -1).map((data, i) => [`${i}`, data]))

const assertClose = (got: Float32Array | Int32Array, want: Float64Array, tolerance: number, where: string): void =>
  want.forEach((value, i) => {
    const same = Object.is(value, got[i]) || Number.isNaN(value) && Number.isNaN(got[i]) ||
      value === got[i] || Math.abs(value - got[i]) <= tolerance * (1 + Math.abs(value))
    assert(same, `${where}: element ${i} is ${got[i]}, not ${value}`)
  })

/** Runs each case with each setting of the engine against float64; threads must not change a bit. */
const onWasm = async (cases: ReadonlyArray<Case>): Promise<void> => {
  const exact = new Map<string, Float32Array | Int32Array>()
  for (const options of settings) {
    await withBackend(options, async (backend) => {
      for (const one of cases) {
        const { name, call, buffers, tolerance = 2e-6 } = one
        const last = buffers.length - 1
        const slot = backend.allocate("out", [buffers[last].length], dtypeOf(buffers[last]))
        await backend.write(slot, buffers[last])
        const executable = await backend.compile(program(name, call, buffers, slot.id))
        await executable.run(inputsOf(buffers))
        const got = await backend.read(slot)
        const setting = JSON.stringify(options)
        assertClose(got, expected(one), tolerance, `${name} ${setting}`)
        const key = `${name} ${options.relaxedSimd}`
        const before = exact.get(key)
        if (before === undefined) exact.set(key, got)
        else {
          const [a, b] = [before, got].map((data) => new Int32Array(data.buffer))
          assert(a.every((bits, i) => bits === b[i]), `${name} ${setting}: not bit-identical to one thread`)
        }
        executable.dispose()
        backend.free(slot)
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
        const got = await runAlone(device, one.call, one.buffers, software)
        assertClose(got, want, one.tolerance ?? 2e-6, `${one.name} ${software ? "software" : "GPU"}`)
      }
    }
  })
}
