import { assert, assertEquals, assertThrows } from "@std/assert"
import { BackendError } from "../../../../core/backend/backend_error.ts"
import { lower, type LowerOptions } from "../../../../core/backend/webgpu/lower.ts"
import { interpret } from "../../../../core/graph/interpret.ts"
import type { BufferSpec, Program } from "../../../../core/graph/program.ts"
import type { Instruction } from "../../../../kernels/contract.ts"
import type { BuiltinCall as Call } from "../../../../kernels/builtin.ts"
import { noise, view } from "../../../kernels/compare.ts"
import { tangle, tangleInputs } from "../tangle.ts"
import { onWebgpu, withWebgpu } from "./with_webgpu.ts"

const f32 = "f32" as const

/** The most modest device there may be. */
const modest: LowerOptions = {
  device: {
    subgroups: undefined,
    software: false,
    workgroupsPerAxis: 65535,
    storageBindings: 8,
  },
  bindingBytes: 1 << 27,
  enableSubgroups: false,
}

/** Sums `count` temporaries of different lengths in one call, half of them as rows of one number. */
const crowd = (count: number, size: number): Program => {
  const buffers: Array<BufferSpec> = [{ size, dtype: f32, source: { kind: "input", name: "x" } }]
  const calls: Array<Call> = []
  for (let i = 0; i < count; i++) {
    const own = i % 2 === 0 ? size : 1
    buffers.push({ size: own, dtype: f32, source: { kind: "temporary" } })
    calls.push({
      kernel: "rows",
      space: [own],
      body: [
        { op: "load", operand: 0, dtype: f32 },
        { op: "constant", value: i + 1, dtype: f32 },
        { op: "mul", args: [0, 1], dtype: f32 },
      ],
      inputs: [view(0, [own])],
      outputs: [{ step: 2, view: view(i + 1, [own]) }],
    })
  }
  const body: Array<Instruction> = [{ op: "load", operand: 0, dtype: f32 }]
  for (let i = 1; i < count; i++) {
    const sum = body.length - 1
    body.push({ op: "load", operand: i, dtype: f32 }, { op: "add", args: [sum, sum + 1], dtype: f32 })
  }
  buffers.push({ size, dtype: f32, source: { kind: "temporary" } })
  calls.push({
    kernel: "rows",
    space: [size],
    body,
    inputs: Array.from({ length: count }, (_, i) => view(i + 1, [size], [i % 2 === 0 ? 1 : 0])),
    outputs: [{ step: body.length - 1, view: view(count + 1, [size]) }],
  })
  return { name: "crowd", buffers, calls, outputs: [{ name: "sum", view: view(count + 1, [size]), dtype: f32 }] }
}

onWebgpu(
  "tangled programs equal the reference, and themselves when they run again",
  () =>
    withWebgpu(async (backend) => {
      for (let seed = 1; seed <= 4; seed++) {
        const program = tangle(seed, 14)
        const executable = await backend.compile(program)
        const want = interpret(program, new Map(), tangleInputs)
        const runs = await Promise.all(Array.from({ length: 5 }, () => executable.run(tangleInputs)))
        for (const got of runs) {
          assertEquals(got, runs[0])
          for (const name of ["large", "small"]) {
            const worst = want[name].reduce((most, value, i) => Math.max(most, Math.abs(value - got[name][i])), 0)
            assert(worst < 1e-3, `${seed} ${name}: ${worst} from the reference`)
          }
        }
        executable.dispose()
      }
    }),
)

onWebgpu("a call of more buffers than a shader may bind", () =>
  withWebgpu(async (backend) => {
    for (const size of [100, 7]) {
      const program = crowd(70, size), x = noise(size)
      const { sum } = await (await backend.compile(program)).run({ x })
      const want = interpret(program, new Map(), { x }).sum
      sum.forEach((value, i) => assert(Math.abs(value - want[i]) < 1e-2, `${value}, not ${want[i]}`))
    }
  }))

Deno.test("webgpu lower: temporaries share memory, equal calls share shaders, what is written is bound for writing", () => {
  const chain = (length: number): Program => ({
    name: "chain",
    buffers: [
      { size: 64, dtype: f32, source: { kind: "input", name: "x" } },
      ...Array.from({ length }, (): BufferSpec => ({ size: 64, dtype: f32, source: { kind: "temporary" } })),
    ],
    calls: Array.from({ length }, (_, i): Call => ({
      kernel: "rows",
      space: [64],
      body: [{ op: "load", operand: 0, dtype: f32 }, { op: "exp", args: [0], dtype: f32 }],
      inputs: [view(i, [64])],
      outputs: [{ step: 1, view: view(i + 1, [64]) }],
    })),
    outputs: [{ name: "y", view: view(length, [64]), dtype: f32 }],
  })
  const plan = lower(chain(50), modest)
  assertEquals(plan.arenaBytes, 512)
  assertEquals(plan.dispatches.length, 50)
  // From the inputs, and from the arena into itself.
  assertEquals(plan.shaders.map(({ writable }) => writable), [[false, true], [true, true]])
})

Deno.test("webgpu lower: bindings stay within the device's limits", () => {
  const { dispatches } = lower(crowd(20, 64), modest)
  assert(dispatches.every(({ bindings }) => bindings.length <= 8))
  const windows = lower(crowd(1, 1000), { ...modest, bindingBytes: 1024 })
  for (const { bindings } of windows.dispatches) for (const { bytes } of bindings) assert(bytes > 0 && bytes <= 1024)
  const few = { ...modest, device: { ...modest.device, storageBindings: 1 } }
  const error = assertThrows(() => lower(crowd(2, 64), few), BackendError, 'Program "crowd"')
  assertEquals(error.reason, "Compile")
})
