/**
 * NF4 and group-wise encodings in programs of both backends, against their float64 reference.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { Backend, type BackendService, Espalier, ops } from "../../../mod.ts"
import { build, evaluateAll, gradients } from "../../../plugins/authoring/mod.ts"
import { GROUP_BITS, grouped } from "../../../kernels/encodings/grouped.ts"
import { nf4 } from "../../../kernels/encodings/nf4.ts"

const numbers = (length: number, seed: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 1.37 + seed) + 0.3 * Math.cos(i * i + seed))

const ENCODINGS = [nf4({ blockSize: 32 }), nf4(), ...GROUP_BITS.map((bits) => grouped({ bits, groupSize: 32 }))]
const ODD = GROUP_BITS.map((bits) => grouped({ bits, groupSize: 24 }))

function onBoth(name: string, body: (backend: BackendService) => Promise<void>): void {
  for (const backend of ["wasm", "webgpu"] as const) {
    Deno.test(`${name}, ${backend}`, async (t) => {
      if (backend === "webgpu" && await navigator.gpu?.requestAdapter() == null) {
        await t.step({ name: "NOT RUN: no WebGPU adapter", ignore: true, fn: () => {} })
        return
      }
      await Effect.gen(function* () {
        const service = yield* Backend
        yield* Effect.promise(() => body(service))
      }).pipe(Effect.provide(Espalier.layerWith({ backend }), { local: true }), Effect.scoped, Effect.runPromise)
    })
  }
}

onBoth("numbers that a program decodes are those of the reference", async (backend) => {
  for (const encoding of [...ENCODINGS, ...ODD]) {
    const width = 4 * encoding.block
    const slot = backend.allocate("weights", [5, width], "f32", encoding)
    await backend.write(slot, numbers(5 * width, 1))
    const want = await backend.read(slot) as Float32Array
    const program = build({ name: encoding.name, outputs: { y: ops.mul(ops.slot(slot), 2) }, updates: [] })
    const executable = await backend.compile(program)
    const { y } = await executable.run({})
    executable.dispose()
    backend.free(slot)
    want.forEach((value, i) => {
      assert(Math.abs(y[i] / 2 - value) <= 3e-7 * (1 + Math.abs(value)), `${encoding.name} ${i}: ${y[i] / 2}, not ${value}`)
    })
  }
})

onBoth("products with packed weights, forward and by their input", async (backend) => {
  // A CPU in disguise compiles each form of shader for long.
  const [encodings, sizes] = backend.info.name === "wasm"
    ? [ENCODINGS, [[1, 27, 192], [40, 33, 192]]]
    : [[nf4(), grouped({ bits: 3, groupSize: 32 })], [[5, 27, 192]]]
  for (const encoding of encodings) {
    for (const [m, n, k] of sizes) {
      const slot = backend.allocate("weights", [n, k], "f32", encoding)
      await backend.write(slot, numbers(n * k, 1))
      const weights = await backend.read(slot) as Float32Array
      const x = ops.input("x", [m, k])
      const y = ops.matmul(x, ops.slot(slot), { transposeB: true })
      const [dx] = gradients(ops.sum(ops.mul(y, y)), [x])
      const program = build({ name: encoding.name, outputs: { y, dx }, updates: [] })
      assertEquals(program.calls.filter(({ kernel }) => kernel === "decode").length, 0, "products read the blocks")
      const data = numbers(m * k, 2)
      const want = evaluateAll([y, dx], { inputs: { x: data }, slots: new Map([[slot.id, weights]]) })
      const executable = await backend.compile(program)
      const got = await executable.run({ x: data })
      executable.dispose()
      backend.free(slot)
      ;[got.y, got.dx].forEach((values, output) => {
        const size = want[output].reduce((most, value) => Math.max(most, Math.abs(value)), 0)
        want[output].forEach((value, i) => assert(Math.abs(value - values[i]) <= 3e-6 * size, `${encoding.name} ${i}`))
      })
    }
  }
})
