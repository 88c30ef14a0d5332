/**
 * Products of few rows with weights in blocks or plain: a row has the same bits whatever stands beside it, as continuous
 * batching needs.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import { ops } from "@espalier/espalier"
import { build } from "@espalier/espalier/plugin"
import type { WasmOptions } from "../../../core/backend/wasm/backend.ts"
import { BF16 } from "../../../kernels/encodings.ts"
import { grouped } from "../../../kernels/encodings/grouped.ts"
import { nf4 } from "../../../kernels/encodings/nf4.ts"
import { Q4_0 } from "../../../kernels/encodings/q4_0.ts"
import { Q4_1 } from "../../../kernels/encodings/q4_1.ts"
import { Q8_0 } from "../../../kernels/encodings/q8_0.ts"
import type { StoredAs } from "../../../core/tensor/dtype.ts"
import { withBackend } from "../../core/backend/wasm/with_backend.ts"
import { noise } from "../compare.ts"

/** Columns, an odd number, and most rows. */
const N = 77, ROWS = 16

/** The first rows and columns of a product of so many terms. */
const product = (
  encoding: StoredAs,
  terms: number,
  rows: number,
  options: WasmOptions,
  columns = N,
): Promise<Float32Array> =>
  withBackend(options, async (backend) => {
    const slot = backend.allocate("weights", [columns, terms], "f32", encoding)
    await backend.write(slot, noise(N * terms).subarray(0, columns * terms))
    const y = ops.matmul(ops.input("x", [rows, terms]), ops.slot(slot), { transposeB: true })
    const executable = await backend.compile(build({ name: "product", outputs: { y }, updates: [] }))
    const got = (await executable.run({ x: noise(ROWS * terms, 2).subarray(0, rows * terms) })).y as Float32Array
    executable.dispose()
    backend.free(slot)
    return got
  })

/**
 * Plain; with scales alone, with offsets, of both kinds; blocks of one group, of two, and such as the engine cannot join.
 * Terms: one block, an odd number of them, and more than are summed at a time.
 */
const cases: ReadonlyArray<readonly [StoredAs, ReadonlyArray<number>]> = [
  ["f32", [32, 96, 1056, 1120]],
  ["bf16", [32, 96, 1056, 1120]],
  [Q4_0, [32, 96]],
  [Q4_1, [32, 96, 1056]],
  [Q8_0, [32, 96, 1056]],
  [grouped({ bits: 4, groupSize: 64 }), [64, 192]],
  [nf4({ blockSize: 32 }), [32, 96]],
  [nf4(), [192, 1152]],
]

const nameOf = (encoding: StoredAs) => typeof encoding === "string" ? encoding : encoding.name

for (const [encoding, counts] of cases) {
  Deno.test(`${nameOf(encoding)}: a row of a product has the same bits beside others, for any threads and vectors`, async () => {
    for (const terms of counts) {
      // With relaxed SIMD and without, a product and a sum round otherwise.
      for (const relaxedSimd of [undefined, false]) {
        const simd = relaxedSimd === undefined ? {} : { relaxedSimd }
        const all = await product(encoding, terms, ROWS, { ...simd, threads: 1, wideVectors: false })
        assert(all.some((value) => value !== 0))
        for (const options of [{ threads: 2 }, { threads: 1, wideVectors: true }]) {
          assertEquals(await product(encoding, terms, ROWS, { ...simd, ...options }), all)
        }
        for (const rows of [1, 2, 3, 5, 8, 11]) {
          assertEquals(
            await product(encoding, terms, rows, { ...simd, threads: 2, wideVectors: rows % 2 === 0 }),
            all.subarray(0, rows * N),
          )
        }
      }
    }
  })
}

for (const encoding of ["f32", "bf16"] as const) {
  Deno.test(`${encoding}: products of few rows are right, with few columns too`, async () => {
    for (const terms of [32, 96, 1120]) {
      const right = noise(N * terms), left = noise(ROWS * terms, 2)
      if (encoding === "bf16") {
        const bytes = new Uint8Array(2 * right.length)
        BF16.encode!(right, bytes)
        BF16.decode.reference(bytes, right)
      }
      for (const rows of [1, 2, 3, 8, 11]) {
        for (const columns of [5, N]) {
          const got = await product(encoding, terms, rows, { threads: 2, wideVectors: rows % 2 === 0 }, columns)
          for (const [i, value] of got.entries()) {
            const at = left.subarray(Math.floor(i / columns) * terms), own = right.subarray(i % columns * terms)
            let sum = 0, size = 0
            for (let l = 0; l < terms; l++) {
              sum += at[l] * own[l]
              size += Math.abs(at[l] * own[l])
            }
            assert(Math.abs(value - sum) <= 1e-6 * size, `${terms} terms, ${rows} rows: ${i} is ${value}, not ${sum}`)
          }
        }
      }
    }
  })
}
