import { assert, assertEquals } from "@std/assert"
import { COUNTERS } from "../../../../core/backend/wasm/threads/shares.ts"
import { lower } from "../../../../core/backend/wasm/lower.ts"
import type { BufferSpec, Program } from "../../../../core/graph/program.ts"
import type { BuiltinCall as Call } from "../../../../kernels/builtin.ts"
import { view } from "../../../kernels/compare.ts"
import { withBackend } from "./with_backend.ts"

const f32 = "f32" as const

/** Adds 1 to all elements of each slot: nothing rests on anything else, all may be under way at once. */
const increments = (slots: ReadonlyArray<number>, size: number): Program => ({
  name: "increments",
  buffers: slots.map((slot): BufferSpec => ({ size, dtype: f32, source: { kind: "slot", slot } })),
  calls: slots.map((_, i): Call => ({
    kernel: "rows",
    space: [size],
    body: [
      { op: "load", operand: 0, dtype: f32 },
      { op: "constant", value: 1, dtype: f32 },
      { op: "add", args: [0, 1], dtype: f32 },
    ],
    inputs: [view(i, [size])],
    outputs: [{ step: 2, view: view(i, [size]) }],
  })),
  outputs: [],
})

Deno.test("shares: every unit is done once, whatever other work holds the threads up", async () => {
  const size = 1 << 16, runs = 150
  for (const threads of [1, 2, 3, 5]) {
    await withBackend({ threads }, async (backend) => {
      const slots = Array.from({ length: COUNTERS + 3 }, (_, i) => backend.allocate(`${i}`, [size + i]))
      const executable = await backend.compile(increments(slots.map(({ id }) => id), size))
      await Promise.all(Array.from({ length: runs }, () => executable.run({})))
      for (const slot of slots) {
        const values = await backend.read(slot)
        assert(values.subarray(0, size).every((value) => value === runs), `${threads} threads, slot ${slot.name}`)
        assert(values.subarray(size).every((value) => value === 0))
      }
    })
  }
})

Deno.test("shares: a barrier comes when there are no counters left", () => {
  const options = { target: { relaxed: false }, threads: 2, shared: true, slotPlace: () => ({ memory: 0, address: 0 }) }
  const barriers = (stages: number) => {
    const program = increments(Array.from({ length: stages }, (_, i) => i), 1 << 16)
    return lower(program, options).barriers
  }
  assertEquals([1, COUNTERS, COUNTERS + 1, 2 * COUNTERS + 1].map(barriers), [2, 2, 3, 4])
})
