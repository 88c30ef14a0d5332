import { assert, assertEquals, assertThrows } from "@std/assert"
import { GROUP_BITS, grouped, type GroupedOptions } from "../../../kernels/encodings/grouped.ts"

const numbers = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i * 1.7) + 0.1 * (i % 5))

function roundTrip(options: GroupedOptions) {
  const encoding = grouped(options)
  const bytes = new Uint8Array(96 / encoding.block * encoding.blockBytes)
  encoding.encode!(numbers, bytes)
  const back = new Float32Array(96)
  encoding.decode.reference(bytes, back)
  return { encoding, bytes, back }
}

Deno.test("a number is at most half a step from what its group holds for it, the ends are exact", () => {
  for (const bits of GROUP_BITS) {
    for (const groupSize of [8, 24, 32, 96]) {
      const { encoding, back } = roundTrip({ bits, groupSize })
      assertEquals(encoding.blockBytes, 8 + bits * groupSize / 8)
      for (let first = 0; first < 96; first += groupSize) {
        const group = numbers.subarray(first, first + groupSize)
        const least = Math.min(...group), step = (Math.max(...group) - least) / (2 ** bits - 1)
        group.forEach((x, i) => {
          const error = Math.abs(x - back[first + i])
          assert(error <= 0.5001 * step, `${bits} bits, ${groupSize}: ${x} became ${back[first + i]}`)
          if (x === least) assertEquals(back[first + i], x)
        })
      }
    }
  }
})

Deno.test("codes of four bits are two a byte, the first in the lower half; of three bits 24 in three bytes", () => {
  const ramp = (most: number) => Float32Array.from({ length: 8 }, (_, i) => Math.min(i, most))
  const bytes = (bits: GroupedOptions["bits"], data: Float32Array) => {
    const { blockBytes, encode } = grouped({ bits, groupSize: 8 })
    const to = new Uint8Array(blockBytes)
    encode!(data, to)
    return [...to.subarray(8)]
  }
  assertEquals(bytes(4, Float32Array.from([0, 1, 2, 3, 4, 5, 6, 15])), [0x10, 0x32, 0x54, 0xf6])
  assertEquals(bytes(3, ramp(7)), [0b10_001_000, 0b1_100_011_0, 0b111_110_10])
  assertEquals(bytes(2, ramp(3)), [0b11_10_01_00, 0b11_11_11_11])
  assertEquals(bytes(8, Float32Array.from([0, 1, 2, 3, 4, 5, 6, 255])), [0, 1, 2, 3, 4, 5, 6, 255])
})

Deno.test("offsets change by group, and codes stay", () => {
  for (const bits of GROUP_BITS) {
    const { encoding: { affine, blockBytes, decode }, bytes, back } = roundTrip({ bits, groupSize: 32 })
    const before = bytes.slice()
    affine.addOffsets(bytes, Float32Array.of(0.5, 0, -0.25))
    const after = new Float32Array(96)
    decode.reference(bytes, after)
    after.forEach((x, i) => assert(Math.abs(x - back[i] - [0.5, 0, -0.25][i >> 5]) < 1e-6))
    bytes.forEach((byte, i) => assert(i % blockBytes >= 4 && i % blockBytes < 8 || byte === before[i], `byte ${i}`))
    assertEquals(affine.offsets(bytes)[0], Math.fround(affine.offsets(before)[0] + 0.5))
  }
})

Deno.test("equal numbers are kept exactly; other options than there are are refused", () => {
  const { blockBytes, encode, decode } = grouped({ bits: 2, groupSize: 8 })
  const bytes = new Uint8Array(blockBytes), back = new Float32Array(8)
  encode!(new Float32Array(8).fill(0.3), bytes)
  decode.reference(bytes, back)
  assertEquals(back, new Float32Array(8).fill(0.3))
  assertEquals(grouped({ bits: 2, groupSize: 8 }), grouped({ groupSize: 8, bits: 2 }), "one value for the same options")
  assertThrows(() => grouped({ bits: 5 as 4, groupSize: 8 }), RangeError, "2, 3, 4 or 8, got 5")
  assertThrows(() => grouped({ bits: 4, groupSize: 12 }), RangeError, "a multiple of 8, got 12")
})
