import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert"
import type { CallTime } from "../../../../core/backend/backend.ts"
import { BackendError } from "../../../../core/backend/backend_error.ts"
import { startDevice } from "../../../../core/backend/webgpu/device.ts"
import { build } from "../../../../core/graph/build.ts"
import type { BuiltinCall } from "../../../../kernels/builtin.ts"
import { interpret } from "../../../../core/graph/interpret.ts"
import { gather, input, matmul, slice, slot } from "../../../../core/tensor/ops.ts"
import { node } from "../../../../core/tensor/tensor.ts"
import type { StoredAs } from "../../../../kernels/contract.ts"
import type { BlockEncoding } from "../../../../kernels/encoding.ts"
import type { Kernel } from "../../../../kernels/kernel.ts"
import { importPage } from "../../../support/page.ts"
import { noise, view } from "../../../kernels/compare.ts"
import { accumulate, near } from "../accumulate.ts"
import { limits, roundTrips, sameAsWhole } from "../half_slots.ts"
import type { WebgpuOptions } from "../../../../core/backend/webgpu/backend.ts"
import { onWebgpu, withWebgpu } from "./with_webgpu.ts"

const { q8 } = await importPage<{ readonly q8: BlockEncoding }>("docs/add_a_encoding.md")

onWebgpu("runs posted at once follow each other, slots keep their state", () =>
  withWebgpu(async (backend) => {
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

onWebgpu("slots may be empty", () =>
  withWebgpu(async (backend) => {
    for (const storage of ["f32", "bf16"] as const) {
      const slot = backend.allocate("empty", [0, 3], "f32", storage)
      await backend.write(slot, new Float32Array(0))
      assertEquals(await backend.read(slot), new Float32Array(0))
      backend.free(slot)
    }
  }))

onWebgpu("slots of 16 bits round, decode and take pieces", () => withWebgpu(roundTrips))
onWebgpu("slots of 16 bits give the bits of their numbers in f32", () => withWebgpu(sameAsWhole))
onWebgpu("slots of 16 bits take half the bytes and are only read", () => withWebgpu(limits))

onWebgpu(
  "programs that are compiled at once share their shaders, and a shader that fails, fails in each",
  () =>
    withWebgpu(async (backend) => {
      const { prefixSumKernel } = await importPage<{ readonly prefixSumKernel: Kernel }>("docs/add_a_kernel.md")
      const broken: Kernel = {
        ...prefixSumKernel,
        wgsl: (call, context) =>
          prefixSumKernel.wgsl!(call, context).map((shader) => ({ ...shader, code: `${shader.code}\nnot WGSL` })),
      }
      const programOf = (name: string, kernel: Kernel) => {
        const x = input("x", [2, 3])
        return build({ name, outputs: { y: node({ name: "sums", kernel }, [x], x.shape, "f32") }, updates: [] })
      }
      const compileBoth = (kernel: Kernel) =>
        Promise.allSettled(["a", "b"].map((name) => backend.compile(programOf(name, kernel))))
      for (const made of await compileBoth(broken)) {
        assert(made.status === "rejected", "a program whose shader does not compile")
        assertEquals((made.reason as BackendError).reason, "Compile")
      }
      for (const made of await compileBoth(prefixSumKernel)) {
        assert(made.status === "fulfilled")
        assertEquals(
          (await made.value.run({ x: Float32Array.of(1, 2, 3, 4, 5, 6) })).y,
          Float32Array.of(1, 3, 6, 4, 9, 15),
        )
      }
    }),
)

onWebgpu("500 replays give the same bits and hold the same bytes", () =>
  withWebgpu(async (backend) => {
    const slot = backend.allocate("state", [30, 8])
    const executable = await backend.compile(accumulate(slot, 30, 8))
    const state = noise(240, 7), x = noise(240)
    const replay = async () => (await Promise.all([backend.write(slot, state), executable.run({ x })]))[1]
    const first = await replay()
    await backend.read(slot)
    const before = backend.memory()
    for (let round = 0; round < 10; round++) {
      for (const result of await Promise.all(Array.from({ length: 50 }, replay))) assertEquals(result, first)
    }
    await backend.read(slot)
    assertEquals(backend.memory(), before)
  }))

onWebgpu("disposed programs and freed slots give their bytes back", () =>
  withWebgpu(async (backend) => {
    const kept = backend.allocate("kept", [500, 8])
    const executable = await backend.compile(accumulate(kept, 500, 8))
    await backend.read(kept)
    const before = backend.memory()
    for (let i = 0; i < 20; i++) {
      const slot = backend.allocate("state", [30, 8])
      const other = await backend.compile(accumulate(slot, 30, 8))
      await other.run({ x: noise(240) })
      other.dispose()
      backend.free(slot)
      await assertRejects(() => other.run({ x: noise(240) }), BackendError)
    }
    await backend.read(kept)
    assertEquals(backend.memory(), before)
    executable.dispose()
  }))

onWebgpu("a larger plan moves the arena, earlier programs still run", () =>
  withWebgpu(async (backend) => {
    const make = async (rows: number) => {
      const slot = backend.allocate("state", [rows, 8])
      const program = accumulate(slot, rows, 8)
      return { program, slot, executable: await backend.compile(program) }
    }
    const small = await make(3)
    const runs = [small.executable.run({ x: noise(24) })]
    const large = await make(5000)
    await Promise.all(runs)
    for (const { program, slot, executable } of [small, large, small]) {
      const x = noise(program.buffers[0].size, 5)
      const slots = new Map([[slot.id, Float64Array.from(await backend.read(slot))]])
      near((await executable.run({ x })).sums, interpret(program, slots, { x }).sums, "sums")
    }
  }))

onWebgpu("a traced program gives the same results, and the time of each call", () =>
  withWebgpu(async (backend) => {
    const slot = backend.allocate("state", [300, 41])
    const program = accumulate(slot, 300, 41), x = noise(12300)
    const plain = await (await backend.compile(program)).run({ x })
    await backend.write(slot, new Float32Array(12300))
    const runs: Array<ReadonlyArray<CallTime>> = []
    const traced = await backend.compile(program, { trace: (times) => void runs.push(times) })
    assertEquals(await traced.run({ x }), plain)
    assertEquals(runs.map((times) => times.map(({ call }) => call)), [[0, 1, 2, 3]])
    let before = 0
    for (const { start, end } of runs[0]) {
      assert(start >= before && end >= start && end < 60_000, JSON.stringify(runs[0]))
      before = end
    }
  }))

onWebgpu("bad input is an error before anything runs", () =>
  withWebgpu(async (backend) => {
    const slot = backend.allocate("state", [4, 3])
    const executable = await backend.compile(accumulate(slot, 4, 3))
    for (
      const inputs of [{}, { x: noise(11) }, { x: noise(13) }, { x: new Int32Array(12) }] as Array<{ x: Float32Array }>
    ) {
      const error = await assertRejects(() => executable.run(inputs), BackendError, '"x"')
      assertEquals(error.reason, "BadInput")
    }
    const writes = [
      () => backend.write(slot, noise(13)),
      () => backend.write(slot, noise(2), 11),
      () => backend.write(slot, new Int32Array(1)),
      () => backend.write(slot, noise(1), -1),
    ]
    for (const write of writes) assertEquals((await assertRejects(write, BackendError)).reason, "BadInput")
    assert((await backend.read(slot)).every((value) => value === 0))
    backend.free(slot)
    await assertRejects(() => executable.run({ x: noise(12) }), BackendError, "state")
    const error = await assertRejects(() => backend.compile(accumulate(slot, 4, 3)), BackendError)
    assertEquals(error.reason, "Compile")
    for (const shape of [[NaN], [-4], [1.5]]) assertThrows(() => backend.allocate("wrong", shape), BackendError)
  }))

onWebgpu("no room is an error that counts bytes", () =>
  withWebgpu(async (backend) => {
    const error = assertThrows(() => backend.allocate("huge", [1 << 20, 1 << 20]), BackendError, "MiB")
    assertEquals(error.reason, "OutOfMemory")
    await backend.write(backend.allocate("small", [2]), noise(2))
  }))

onWebgpu("a slot larger than a binding is seen as one", () =>
  withWebgpu(async (backend) => {
    // 160 MB: lavapipe and many GPUs bind at most 128 MiB at once.
    const [rows, width] = [40_000, 1000]
    const slot = backend.allocate("embedding", [rows, width])
    const wanted = [0, 33_553, 33_554, 33_555, rows - 1]
    for (const row of wanted) await backend.write(slot, noise(width, row), row * width)
    const shape = [wanted.length, width], scores = [wanted.length, rows]
    const table = { buffer: 0, offset: 0, shape: [rows, width], strides: [width, 1] }
    const found = { buffer: 2, offset: 0, shape, strides: [width, 1] }
    const output = { buffer: 3, offset: 0, shape: scores, strides: [rows, 1] }
    const calls: ReadonlyArray<BuiltinCall> = [
      { kernel: "gather", table, indices: view(1, [wanted.length]), output: found },
      { kernel: "matmul", a: found, b: { ...table, shape: [width, rows], strides: [1, width] }, output },
      // In place: every row doubled.
      {
        kernel: "rows",
        space: [rows, width],
        body: [{ op: "load", operand: 0, dtype: "f32" }, { op: "add", args: [0, 0], dtype: "f32" }],
        inputs: [table],
        outputs: [{ step: 1, view: table }],
      },
    ]
    const executable = await backend.compile({
      name: "lookup",
      buffers: [
        { size: rows * width, dtype: "f32", source: { kind: "slot", slot: slot.id } },
        { size: wanted.length, dtype: "i32", source: { kind: "input", name: "ids" } },
        { size: wanted.length * width, dtype: "f32", source: { kind: "temporary" } },
        { size: wanted.length * rows, dtype: "f32", source: { kind: "temporary" } },
      ],
      calls,
      outputs: [{ name: "rows", view: found, dtype: "f32" }, { name: "scores", view: output, dtype: "f32" }],
    })
    const result = await executable.run({ ids: Int32Array.from(wanted) })
    wanted.forEach((row, i) => {
      const own = noise(width, row)
      assertEquals(result.rows.subarray(i * width, (i + 1) * width), own)
      near([result.scores[i * rows + row]], [own.reduce((sum, x) => sum + x * x, 0)], `score ${row}`)
    })
    const after = await backend.read(slot)
    for (const row of wanted) {
      assertEquals(after.subarray(row * width, (row + 1) * width), noise(width, row).map((x) => 2 * x))
    }
  }))

onWebgpu(
  "16 bits in a slot larger than a binding, by fours and singly",
  () =>
    withWebgpu(async (backend) => {
      const [rows, width] = [70_000, 1000]
      const half = backend.allocate("embedding", [rows, width], "f32", "bf16")
      // Between them lies the end of the first binding.
      const wanted = [0, 67_107, 67_108, 67_109, rows - 1]
      const whole = (row: number) => noise(width, row).map((x) => Math.round(x * 100))
      for (const row of wanted) await backend.write(half, whole(row), row * width)
      const indices = input("ids", [wanted.length], { dtype: "i32" })
      const table = slot(half)
      const outputs = { fours: gather(table, indices), singly: slice(table, [67_107, 1], [3, width - 1]) }
      const executable = await backend.compile(build({ name: "lookup", outputs, updates: [] }))
      const { fours, singly } = await executable.run({ ids: Int32Array.from(wanted) })
      wanted.forEach((row, i) => {
        assertEquals(fours.subarray(i * width, (i + 1) * width), whole(row))
        const place = row - 67_107
        if (place < 0 || place > 2) return
        assertEquals(singly.subarray(place * (width - 1), (place + 1) * (width - 1)), whole(row).subarray(1))
      })
    }),
)

onWebgpu("a device that goes away is an error for this and all later calls", () =>
  withWebgpu(async (backend) => {
    const device = await startDevice(true)
    await device.ask({ kind: "create", buffer: 0, bytes: 1024 }, "a buffer")
    const region = { buffer: 0, offset: 0, bytes: 1024 }
    const pending = [
      device.ask({ kind: "read", region }, "a read"),
      device.close(),
      device.ask({ kind: "read", region }, "a later read"),
    ]
    const [, , later] = await Promise.allSettled(pending)
    assert(later.status === "rejected" && later.reason.reason === "Lost")
    const error = await assertRejects(() => device.ask({ kind: "read", region }, "a read"), BackendError)
    assertEquals(error.reason, "Lost")
    assertStringIncludes(error.message, "checkpoint")
    // Others are not touched by it.
    await backend.write(backend.allocate("small", [2]), noise(2))
  }))

onWebgpu("a shader that does not compile names its program and line", async () => {
  const device = await startDevice(true)
  const error = await assertRejects(() =>
    device.ask({
      kind: "load",
      program: 0,
      label: "wrong",
      shaders: [{
        label: "rows [3]",
        code: "\n@compute @workgroup_size(1) fn main() { x = 1; }",
        writable: [],
      }],
      dispatches: [],
      inputs: -1,
      outputs: [],
      times: -1,
    }, 'compiling program "wrong"'), BackendError)
  await device.close()
  assertEquals(error.reason, "Compile")
  for (const part of ['program "wrong"', "rows [3]", "2:41"]) assertStringIncludes(error.message, part)
})

onWebgpu("a slot in several buffers holds, and gives, what it does in one", async () => {
  const [rows, width] = [12, 64]
  const data = noise(rows * width, 3)
  const run = (storage: StoredAs, options: WebgpuOptions) =>
    withWebgpu(async (backend) => {
      const own = backend.allocate("weights", [rows, width], "f32", storage)
      // Pieces that end within a buffer, and within a word of it.
      for (const [first, last] of [[0, 3], [3, 7], [7, rows]]) {
        await backend.write(own, data.subarray(first * width, last * width), first * width)
      }
      const x = input("x", [2, width])
      const outputs = { y: matmul(x, slot(own), { transposeB: true }) }
      const executable = await backend.compile(build({ name: "weights", outputs, updates: [] }))
      const { y } = await executable.run({ x: noise(2 * width, 4) })
      executable.dispose()
      return { y, read: await backend.read(own) }
    }, options)
  for (const [storage, slotBytes] of [["f32", 1792], ["bf16", 1024], [q8, 512]] as const) {
    assertEquals(await run(storage, { slotBytes }), await run(storage, {}), `in pieces of ${slotBytes}`)
  }
})

onWebgpu("what a shader cannot reach is told before memory is taken", () =>
  withWebgpu(async (backend) => {
    const slotOf = (rows: number) => [{ name: "table", shape: [rows, 64], dtype: "f32" }] as const
    await backend.checkRoom(slotOf(8), "a small model")
    const error = await assertRejects(() => backend.checkRoom(slotOf(4096), "a large model"), BackendError)
    assertEquals(error.reason, "OutOfMemory")
    assertStringIncludes(error.message, 'No room for a large model: "table" [4096,64] takes 1.0 MiB')
  }, { slotBytes: 1024 }))
