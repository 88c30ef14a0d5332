/**
 * NF4 and group-wise encodings in programs of both backends.
 * @module
 */
import { assert } from "@std/assert"
import { ops } from "@espalier/espalier"
import { build } from "@espalier/espalier/plugin"
import { GROUP_BITS, grouped } from "../../../kernels/encodings/grouped.ts"
import { nf4 } from "../../../kernels/encodings/nf4.ts"
import { assertProducts, numbers, onBoth } from "../../support/blocks.ts"

const ENCODINGS = [
  nf4({ blockSize: 32 }),
  nf4(),
  ...GROUP_BITS.map((bits) => grouped({ bits, groupSize: 32 })),
  grouped({ bits: 4, groupSize: 64 }),
  grouped({ bits: 8, groupSize: 96 }),
]
const ODD = GROUP_BITS.map((bits) => grouped({ bits, groupSize: 24 }))

onBoth("numbers that a program decodes are those of the host", async (backend) => {
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
      const off = Math.abs(y[i] / 2 - value)
      assert(off <= 3e-7 * (1 + Math.abs(value)), `${encoding.name} ${i}: ${y[i] / 2}, not ${value}`)
    })
  }
})

onBoth("products with packed weights, forward and by their input", async (backend) => {
  // A CPU in disguise compiles each form of shader for long.
  const [encodings, sizes] = backend.info.name === "wasm"
    ? [ENCODINGS, [[1, 27, 192], [40, 33, 192]] as const]
    : [[nf4(), grouped({ bits: 3, groupSize: 32 })], [[5, 27, 192]] as const]
  for (const encoding of encodings) {
    for (const [m, n, k] of sizes) await assertProducts(backend, encoding, [m, n, k], numbers(n * k, 1))
  }
})
