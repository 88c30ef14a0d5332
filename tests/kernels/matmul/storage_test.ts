import { assert, assertEquals } from "@std/assert"
import type { WasmOptions } from "../../../core/backend/wasm/backend.ts"
import type { Storage } from "../halves.ts"
import { matmulReference } from "../../../kernels/matmul/reference.ts"
import { withBackend } from "../../core/backend/wasm/with_backend.ts"
import { epilogueCases } from "./epilogue_cases.ts"

/** Runs the cases with everything that is read in 16 bits; gives what they wrote. */
const run = (storage: Storage, options: WasmOptions) =>
  withBackend(options, async (backend) => {
    const results = new Map<string, Float32Array | Int32Array>()
    for (const { name, call, buffers, tolerance = 2e-6 } of epilogueCases) {
      const last = buffers.length - 1
      const slots = buffers.map((data, i) =>
        data instanceof Int32Array
          ? backend.allocate(`${i}`, [data.length], "i32")
          : backend.allocate(`${i}`, [data.length], "f32", i === last ? "f32" : storage)
      )
      for (const [i, slot] of slots.entries()) await backend.write(slot, buffers[i])
      const expected = (await Promise.all(slots.map(backend.read))).map((data) => Float64Array.from(data))
      assert(call.kernel === "matmul")
      matmulReference(call, expected)
      const executable = await backend.compile({
        name,
        buffers: slots.map(({ id, shape, dtype, storage = "f32" }) => ({
          size: shape[0],
          dtype,
          storage: `${storage}`,
          source: { kind: "slot", slot: id },
        })),
        calls: [call],
        outputs: [],
      })
      await executable.run({})
      const got = await backend.read(slots[last])
      expected[last].forEach((value, i) =>
        assert(
          Math.abs(value - got[i]) <= tolerance * (1 + Math.abs(value)),
          `${name}: ${i} is ${got[i]}, not ${value}`,
        )
      )
      results.set(name, got)
      executable.dispose()
      slots.forEach(backend.free)
    }
    return results
  })

for (const storage of ["bf16", "f16"] as const) {
  Deno.test(`products in WebAssembly with all operands in ${storage}`, async () => {
    const one = await run(storage, { threads: 1 })
    assertEquals(await run(storage, { threads: 2 }), one)
    assertEquals(await run(storage, { threads: 2, wideVectors: true }), one)
  })
}
