import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert"
import type { BackendService, CallTime, Slot } from "../../../../core/backend/backend.ts"
import { BackendError } from "../../../../core/backend/backend_error.ts"
import { BARRIER_BYTES } from "../../../../core/backend/wasm/threads/barrier.ts"
import { COUNTER_BYTES } from "../../../../core/backend/wasm/threads/shares.ts"
import type { WasmOptions } from "../../../../core/backend/wasm/backend.ts"
import { ALIGNMENT } from "../../../../core/backend/wasm/program_memory.ts"
import { explain } from "../../../../core/graph/explain.ts"
import type { BuiltinCall as Call } from "../../../../kernels/builtin.ts"
import { interpret } from "../../../../core/graph/interpret.ts"
import type { Program } from "../../../../core/graph/program.ts"
import { noise, view } from "../../../kernels/compare.ts"
import { accumulate, near } from "../accumulate.ts"
import { limits, roundTrips, sameAsWhole } from "../half_slots.ts"
import { withBackend } from "./with_backend.ts"

const both: ReadonlyArray<WasmOptions> = [{ threads: 2 }, { sharedMemory: false }]
const f32 = "f32" as const

for (const options of both) {
  const label = JSON.stringify(options)
  Deno.test(`wasm ${label}: runs posted at once follow each other, slots keep their state`, () =>
    withBackend(options, async (backend) => {
      const [rows, columns] = [300, 41]
      const slot = backend.allocate("state", [rows, columns])
      await backend.write(slot, noise(columns, 3), columns)
      const program = accumulate(slot, rows, columns)
      const executable = await backend.compile(program)
      const slots = new Map([[slot.id, new Float64Array(rows * columns)]])
      slots.get(slot.id)!.set(noise(columns, 3), columns)
      const inputs = [1, 2, 3, 4, 5].map((seed) => ({ x: noise(rows * columns, seed) }))
      const pending = inputs.map((input) => executable.run(input))
      const state = backend.read(slot)
      for (const [i, result] of (await Promise.all(pending)).entries()) {
        const want = interpret(program, slots, inputs[i])
        for (const name of ["y", "sums", "state"]) near(result[name], want[name], `run ${i} ${name}`)
      }
      near(await state, slots.get(slot.id)!, "slot")
    }))

  Deno.test(`wasm ${label}: slots of 16 bits round, decode and take pieces`, () => withBackend(options, roundTrips))
  Deno.test(`wasm ${label}: slots of 16 bits give the bits of their numbers in f32`, () =>
    withBackend(options, sameAsWhole))
  Deno.test(`wasm ${label}: slots of 16 bits take half the bytes and are only read`, () => withBackend(options, limits))

  Deno.test(`wasm ${label}: a traced program gives the same bits, and the times of its calls`, () =>
    withBackend(options, async (backend) => {
      const [rows, columns] = [300, 41]
      const slot = backend.allocate("state", [rows, columns])
      const program = accumulate(slot, rows, columns)
      const seen: Array<ReadonlyArray<CallTime>> = []
      const plain = await backend.compile(program)
      const traced = await backend.compile(program, { trace: (times) => void seen.push(times) })
      const input = { x: noise(rows * columns, 2) }
      const want = await plain.run(input)
      await backend.write(slot, new Float32Array(rows * columns))
      const began = performance.now()
      assertEquals(await traced.run(input), want)
      const took = performance.now() - began
      assertEquals(seen.length, 1)
      const { threads } = backend.info
      assertEquals(
        seen[0].map(({ call, thread }) => [call, thread]),
        program.calls.flatMap((_, call) => Array.from({ length: threads }, (_, thread) => [call, thread])),
      )
      // Two clocks may differ by a little.
      const slack = 0.5
      for (const { call, start, end } of seen[0]) {
        assert(start > -slack && start <= end && end < took + slack, `call ${call}: ${start} to ${end} of ${took}`)
        for (const next of seen[0]) {
          if (next.call > call) assert(next.start > end - slack, `call ${next.call} began at ${next.start}, ${end}`)
        }
      }
    }))

  Deno.test(`wasm ${label}: a slot starts as zeros, also in memory used before`, () =>
    withBackend(options, async (backend) => {
      const first = backend.allocate("first", [1000])
      await backend.write(first, noise(1000))
      backend.free(first)
      const second = backend.allocate("second", [10, 50])
      assert((await backend.read(second)).every((value) => value === 0))
      const whole = backend.allocate("whole", [3], "i32")
      await backend.write(whole, Int32Array.of(-1, 2147483647, 5))
      assertEquals(await backend.read(whole), Int32Array.of(-1, 2147483647, 5))
      await assertRejects(() => backend.read(first), BackendError, "first")
    }))

  Deno.test(`wasm ${label}: a program whose slot was freed does not run`, () =>
    withBackend(options, async (backend) => {
      const slot = backend.allocate("state", [4, 3])
      const executable = await backend.compile(accumulate(slot, 4, 3))
      const last = executable.run({ x: noise(12) })
      backend.free(slot)
      const next = backend.allocate("next", [4, 3])
      await last
      const error = await assertRejects(() => executable.run({ x: noise(12) }), BackendError, "state")
      assertEquals(error.reason, "BadInput")
      assert((await backend.read(next)).every((value) => value === 0))
      for (const shape of [[NaN], [-4], [1.5]]) assertThrows(() => backend.allocate("wrong", shape), BackendError)
    }))

  Deno.test(`wasm ${label}: slots of another backend are refused`, () =>
    withBackend(options, (backend) =>
      withBackend(options, async (other) => {
        const [own, foreign] = [backend, other].map(({ allocate }) => allocate("state", [4, 3]))
        const refused = [
          () => backend.write(foreign, noise(12)),
          () => backend.read(foreign),
        ]
        for (const use of refused) {
          assertEquals((await assertRejects(use, BackendError, "not of this backend")).reason, "BadInput")
        }
        const compiled = await assertRejects(() => backend.compile(accumulate(foreign, 4, 3)), BackendError)
        assertStringIncludes(compiled.message, "not of this backend")
        backend.free(foreign)
        assert((await backend.read(own)).every((value) => value === 0))
      })))

  Deno.test(`wasm ${label}: bad input is an error before anything runs`, () =>
    withBackend(options, async (backend) => {
      const slot = backend.allocate("state", [4, 3])
      const executable = await backend.compile(accumulate(slot, 4, 3))
      const wrong = [{}, { x: noise(11) }, { x: noise(13) }, { x: new Int32Array(12) }]
      for (const inputs of wrong) {
        const error = await assertRejects(() => executable.run(inputs), BackendError, '"x"')
        assertEquals(error.reason, "BadInput")
      }
      assert((await backend.read(slot)).every((value) => value === 0))
      for (
        const bad of [() => backend.write(slot, noise(13)), () =>
          backend.write(slot, noise(2), 11), () =>
          backend.write(slot, new Int32Array(1)), () =>
          backend.write(slot, noise(1), -1)]
      ) {
        assertEquals((await assertRejects(bad, BackendError)).reason, "BadInput")
      }
      await executable.run({ x: noise(12) })
    }))

  Deno.test(`wasm ${label}: no room is an error that counts bytes, and the engine lives on`, () =>
    withBackend(options, async (backend) => {
      const before = backend.memory()
      try {
        backend.allocate("huge", [1 << 30, 2])
        assert(false, "8 GiB were given")
      } catch (error) {
        assert(error instanceof BackendError)
        assertEquals(error.reason, "OutOfMemory")
        assertStringIncludes(error.message, "8192.0 MiB")
      }
      assertEquals(backend.memory(), before)
      const slot = backend.allocate("small", [2])
      await backend.write(slot, noise(2))
    }))

  Deno.test(`wasm ${label}: runs that were asked for stay where they were while the arena moves`, () =>
    withBackend(options, async (backend) => {
      const slot = backend.allocate("state", [2000, 8])
      const executable = await backend.compile(accumulate(slot, 2000, 8))
      backend.allocate("behind", [16])
      const larger = backend.compile(accumulate(backend.allocate("larger", [60000, 8]), 60000, 8))
      const x = noise(16000)
      // Each read has the memory for itself, so that runs still wait in line when the larger plan is ready.
      const runs = Array.from({ length: 300 }, () => [backend.read(slot), executable.run({ x })])
      await Promise.all(runs.flat())
      assert((await backend.read(slot)).every((value, i) => Math.abs(value - 300 * x[i]) <= 0.01))
      await larger
    }))

  Deno.test(`wasm ${label}: a larger plan moves the arena, disposed plans free their constants`, () =>
    withBackend(options, async (backend) => {
      const make = async (rows: number) => {
        const slot = backend.allocate("state", [rows, 8])
        const program = accumulate(slot, rows, 8)
        return { program, slot, executable: await backend.compile(program) }
      }
      const small = await make(3), large = await make(500)
      for (const { program, slot, executable } of [small, large, small]) {
        const x = noise(program.buffers[0].size, 5)
        const slots = new Map([[slot.id, Float64Array.from(await backend.read(slot))]])
        near((await executable.run({ x })).sums, interpret(program, slots, { x }).sums, "sums")
      }
      for (let i = 0; i < 20; i++) (await backend.compile(large.program)).dispose()
      const before = backend.memory().totalBytes
      for (let i = 0; i < 100; i++) (await backend.compile(large.program)).dispose()
      assertEquals(backend.memory().totalBytes, before)
      const x = noise(4000)
      const last = [large.executable.run({ x }), backend.read(large.slot), large.executable.run({ x: x.subarray(0) })]
      large.executable.dispose()
      x.fill(NaN)
      await Promise.all(last)
      assert((await backend.read(large.slot)).every((value) => Number.isFinite(value)))
      await assertRejects(() => large.executable.run({ x: noise(4000) }), BackendError, "disposed")
    }))
}

/** Runs with a memory whose growth is `grow`'s. */
const growing = (grow: (pages: number) => number, use: () => void): void => {
  const own = WebAssembly.Memory.prototype.grow
  WebAssembly.Memory.prototype.grow = grow
  try {
    use()
  } finally {
    WebAssembly.Memory.prototype.grow = own
  }
}

Deno.test("wasm: after a memory that could not grow, what fits is still given", () =>
  withBackend({ threads: 1 }, (backend) => {
    const refuse = () => {
      throw new RangeError("no more pages")
    }
    growing(refuse, () => {
      assertThrows(() => backend.allocate("large", [1 << 24]), BackendError, "No room for slot")
      backend.allocate("small", [2])
    })
    return Promise.resolve()
  }))

Deno.test("wasm: no block ends at 4 GiB, where the address behind it would be 0", () =>
  withBackend({ threads: 1 }, (backend) => {
    const rest = 2 ** 32 - BARRIER_BYTES - COUNTER_BYTES
    growing(() => 1, () => {
      assertThrows(() => backend.allocate("all", [rest / 4]), BackendError, "No room for slot")
      backend.allocate("nearly all", [(rest - ALIGNMENT) / 4])
    })
    return Promise.resolve()
  }))

Deno.test("wasm: 1000 replays allocate nothing", () =>
  withBackend({ threads: 2 }, async (backend) => {
    const slot = backend.allocate("state", [30, 8])
    const executable = await backend.compile(accumulate(slot, 30, 8))
    const x = noise(240)
    await executable.run({ x })
    const before = backend.memory()
    for (let i = 0; i < 1000; i++) await executable.run({ x })
    assertEquals(backend.memory(), before)
  }))

/** A program that reads far beyond the memory once its index says so. */
const stray = (slot: Slot): Program => ({
  name: "stray",
  buffers: [
    { size: 1 << 16, dtype: f32, source: { kind: "slot", slot: slot.id } },
    { size: 1 << 16, dtype: f32, source: { kind: "temporary" } },
  ],
  // An offset that the graph would never write: the second half of the threads' work leaves the memory.
  calls: [{
    kernel: "rows",
    space: [1 << 16],
    body: [{ op: "load", operand: 0, dtype: f32 }],
    inputs: [view(0, [1 << 16], [1 << 13])],
    outputs: [{ step: 0, view: view(1, [1 << 16]) }],
  } as Call],
  outputs: [],
})

for (const options of [{ threads: 1 }, { threads: 2 }, { sharedMemory: false }]) {
  Deno.test(`wasm ${JSON.stringify(options)}: a trap in a worker is an error, then the backend is lost`, () =>
    withBackend(options, async (backend: BackendService) => {
      const slot = backend.allocate("state", [1 << 16])
      const good = await backend.compile(accumulate(slot, 256, 256))
      const bad = await backend.compile(stray(slot))
      const runs = [bad.run({}), good.run({ x: noise(1 << 16) })]
      const [first, second] = await Promise.allSettled(runs)
      assert(first.status === "rejected" && second.status === "rejected")
      assertEquals(first.reason.reason, "Run")
      assertStringIncludes(first.reason.message, '"stray"')
      assertEquals(second.reason.reason, "Lost")
      assertEquals((await assertRejects(() => backend.read(slot), BackendError)).reason, "Lost")
    }))
}

Deno.test("wasm: wrong options and programs are errors", async () => {
  await assertRejects(() => withBackend({ threads: 0 }, () => Promise.resolve()), Error, "threads")
  await withBackend({ threads: 1 }, async (backend) => {
    const slot = backend.allocate("state", [2, 2])
    backend.free(slot)
    const error = await assertRejects(() => backend.compile(accumulate(slot, 2, 2)), BackendError)
    assertEquals(error.reason, "Compile")
  })
})

Deno.test("explain: a line a call", () => {
  const text = explain(accumulate({ id: 4, name: "state", shape: [2, 3], dtype: f32 }, 2, 3))
  assertStringIncludes(text, 'slot4 = rows("x", slot4)  [2,3]  %2=add(in0, in1) -> %2')
  assertStringIncludes(text, "t5 = columns(t4)  [2,3] -> [3]")
  assertEquals(text.split("\n").length, 6)
})
