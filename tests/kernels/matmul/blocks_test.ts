/**
 * Products of few rows with weights in blocks: a row has the same bits whatever stands beside it, as continuous batching needs.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import { ops } from "@espalier/espalier"
import { build } from "@espalier/espalier/plugin"
import type { WasmOptions } from "../../../core/backend/wasm/backend.ts"
import type { BlockEncoding } from "../../../kernels/encoding.ts"
import { grouped } from "../../../kernels/encodings/grouped.ts"
import { nf4 } from "../../../kernels/encodings/nf4.ts"
import { Q4_0 } from "../../../kernels/encodings/q4_0.ts"
import { Q4_1 } from "../../../kernels/encodings/q4_1.ts"
import { Q8_0 } from "../../../kernels/encodings/q8_0.ts"
import { withBackend } from "../../core/backend/wasm/with_backend.ts"
import { noise } from "../compare.ts"

/** Columns, an odd number, and most rows. */
const N = 77, ROWS = 16

/** The first rows of a product of so many terms. */
const product = (encoding: BlockEncoding, terms: number, rows: number, options: WasmOptions): Promise<Float32Array> =>
  withBackend(options, async (backend) => {
    const slot = backend.allocate("weights", [N, terms], "f32", encoding)
    await backend.write(slot, noise(N * terms))
    const y = ops.matmul(ops.input("x", [rows, terms]), ops.slot(slot), { transposeB: true })
    const executable = await backend.compile(build({ name: "product", outputs: { y }, updates: [] }))
    const got = (await executable.run({ x: noise(ROWS * terms, 2).subarray(0, rows * terms) })).y as Float32Array
    executable.dispose()
    backend.free(slot)
    return got
  })

/**
 * With scales alone, with offsets, of both kinds; blocks of one group, of two, and such as the engine cannot join. Terms: one
 * block, an odd number of them, and more than are summed at a time.
 */
const cases: ReadonlyArray<readonly [BlockEncoding, ReadonlyArray<number>]> = [
  [Q4_0, [32, 96]],
  [Q4_1, [32, 96, 1056]],
  [Q8_0, [32, 96, 1056]],
  [grouped({ bits: 4, groupSize: 64 }), [64, 192]],
  [nf4({ blockSize: 32 }), [32, 96]],
  [nf4(), [192, 1152]],
]

for (const [encoding, counts] of cases) {
  Deno.test(`${encoding.name}: a row of a product has the same bits beside others, for any threads and vectors`, async () => {
    for (const terms of counts) {
      const all = await product(encoding, terms, ROWS, { threads: 1, wideVectors: false })
      assert(all.some((value) => value !== 0))
      for (const options of [{ threads: 2 }, { threads: 1, wideVectors: true }]) {
        assertEquals(await product(encoding, terms, ROWS, options), all)
      }
      for (const rows of [1, 2, 3, 5, 8, 11]) {
        assertEquals(
          await product(encoding, terms, rows, { threads: 2, wideVectors: rows % 2 === 0 }),
          all.subarray(0, rows * N),
        )
      }
    }
  })
}
