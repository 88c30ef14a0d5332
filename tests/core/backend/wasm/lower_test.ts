import { assert, assertEquals } from "@std/assert"
import { lower } from "../../../../core/backend/wasm/lower.ts"
import { interpret } from "../../../../core/graph/interpret.ts"
import type { BufferSpec, Program } from "../../../../core/graph/program.ts"
import type { BuiltinCall as Call } from "../../../../kernels/builtin.ts"
import { view } from "../../../kernels/compare.ts"
import { tangle, tangleInputs } from "../tangle.ts"
import { withBackend } from "./with_backend.ts"

const f32 = "f32" as const

Deno.test("lower: tangled programs equal the reference, and themselves with any number of threads", async () => {
  const first = new Map<string, Int32Array>()
  for (const threads of [1, 2, 3]) {
    await withBackend({ threads }, async (backend) => {
      for (let seed = 1; seed <= 6; seed++) {
        const program = tangle(seed, 14)
        const executable = await backend.compile(program)
        const want = interpret(program, new Map(), tangleInputs)
        for (let turn = 0; turn < 15; turn++) {
          const got = await executable.run(tangleInputs)
          for (const name of ["large", "small"]) {
            const key = `${seed} ${name}`
            const bits = new Int32Array(got[name].buffer)
            const before = first.get(key)
            if (before !== undefined) {
              assert(bits.every((value, i) => value === before[i]), `${key}, ${threads} threads`)
            }
            first.set(key, bits)
            const worst = want[name].reduce((most, value, i) => Math.max(most, Math.abs(value - got[name][i])), 0)
            assert(worst < 1e-3, `${key}: ${worst} from the reference`)
          }
        }
      }
    })
  }
})

Deno.test("lower: temporaries share memory, equal calls share code, small calls need no barrier", () => {
  const chain = (length: number, size: number): Program => ({
    name: "chain",
    buffers: [
      { size, dtype: f32, source: { kind: "input", name: "x" } },
      ...Array.from({ length }, (): BufferSpec => ({ size, dtype: f32, source: { kind: "temporary" } })),
    ],
    calls: Array.from({ length }, (_, i): Call => ({
      kernel: "rows",
      space: [size],
      body: [{ op: "load", operand: 0, dtype: f32 }, { op: "exp", args: [0], dtype: f32 }],
      inputs: [view(i, [size])],
      outputs: [{ step: 1, view: view(i + 1, [size]) }],
    })),
    outputs: [{ name: "y", view: view(length, [size]), dtype: f32 }],
  })
  const options = { target: { relaxed: false }, threads: 2, shared: true, slotPlace: () => ({ memory: 0, address: 0 }) }
  const small = lower(chain(50, 16), options), large = lower(chain(50, 65536), options)
  assertEquals(small.arenaBytes, 128)
  assertEquals(small.barriers, 2)
  assertEquals(large.barriers, 51)
  assert(lower(chain(51, 16), options).code.length - small.code.length < 64)
  assertEquals(lower(chain(50, 65536), { ...options, shared: false }).barriers, 0)
  assertEquals(large.times, undefined)
  const traced = lower(chain(50, 16), { ...options, trace: true })
  assertEquals([traced.times?.offset, traced.times?.length, traced.arenaBytes], [128, 200, 128 + 800])
})
