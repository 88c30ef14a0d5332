/**
 * Products of few rows with weights in blocks: a row has the same bits whatever stands beside it, as continuous batching needs.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import { ops } from "@espalier/espalier"
import { build } from "@espalier/espalier/plugin"
import type { WasmOptions } from "../../../core/backend/wasm/backend.ts"
import type { BlockEncoding } from "../../../kernels/encoding.ts"
import { Q4_1 } from "../../../kernels/encodings/q4_1.ts"
import { Q8_0 } from "../../../kernels/encodings/q8_0.ts"
import { withBackend } from "../../core/backend/wasm/with_backend.ts"
import { noise } from "../compare.ts"

/** Columns, an odd number, and terms: more than are summed at a time, and an odd number of blocks. */
const N = 77, K = 1056

/** The first rows of a product. */
const product = (encoding: BlockEncoding, rows: number, options: WasmOptions): Promise<Float32Array> =>
  withBackend(options, async (backend) => {
    const slot = backend.allocate("weights", [N, K], "f32", encoding)
    await backend.write(slot, noise(N * K))
    const y = ops.matmul(ops.input("x", [rows, K]), ops.slot(slot), { transposeB: true })
    const executable = await backend.compile(build({ name: "product", outputs: { y }, updates: [] }))
    const got = (await executable.run({ x: noise(16 * K, 2).subarray(0, rows * K) })).y as Float32Array
    executable.dispose()
    backend.free(slot)
    return got
  })

for (const encoding of [Q4_1, Q8_0]) {
  Deno.test(`${encoding.name}: a row of a product has the same bits beside others, for any threads and vectors`, async () => {
    const all = await product(encoding, 16, { threads: 1, wideVectors: false })
    assert(all.some((value) => value !== 0))
    for (const options of [{ threads: 2 }, { threads: 1, wideVectors: true }]) {
      assertEquals(await product(encoding, 16, options), all)
    }
    for (const rows of [1, 2, 3, 5, 7]) {
      assertEquals(
        await product(encoding, rows, { threads: 2, wideVectors: rows % 2 === 0 }),
        all.subarray(0, rows * N),
      )
    }
  })
}
