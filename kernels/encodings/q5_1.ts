import type { AffineEncoding } from "../encoding.ts"
import { f32x4 } from "../wasm/assembler.ts"
import { codesAsFloats, codesInWgsl, fiveBitsOf, fiveBitsOfInWgsl } from "./parts/codes.ts"
import { halfAt, halfOffsets, loadHalf } from "./parts/halves.ts"
import { productsInGroups } from "../matmul/wasm/groups/products.ts"
import { byteFactor, codesOfBytes, fiveBits, foursOfBytes, halfPairs } from "./parts/vectors.ts"

const BLOCK = 32, BYTES = 24

/**
 * Q5_1 of GGUF, to be read: 32 numbers `scale * q + offset` in 24 bytes: scale and offset in half precision, the fifth bits
 * of all codes, then their lower four: of number j in the lower half of byte j, of number j + 16 in the upper.
 */
export const Q5_1: AffineEncoding = {
  name: "Q5_1",
  block: BLOCK,
  blockBytes: BYTES,
  costly: true,
  affine: halfOffsets(BYTES, 2),
  decode: {
    reference: (from, to) => {
      for (let i = 0, at = 0; i < to.length; i += BLOCK, at += BYTES) {
        const scale = halfAt(from, at), offset = halfAt(from, at + 2)
        for (let j = 0; j < BLOCK; j++) {
          const low = from[at + 8 + j % 16] >> (j < 16 ? 0 : 4) & 15
          const fifth = from[at + 4 + (j >> 3)] >> (j & 7) & 1
          to[i + j] = scale * (low | fifth << 4) + offset
        }
      }
    },
    wasm: (_, address, first) => {
      const codes = codesAsFloats(fiveBitsOf(address, first, 4))
      return f32x4.add(f32x4.mul(f32x4.splat(loadHalf(address)), codes), f32x4.splat(loadHalf(address, 2)))
    },
    wgsl: (address, first, bytes) => [
      `let pair = unpack2x16float(${bytes(address, true)});`,
      `pair.x * ${codesInWgsl(fiveBitsOfInWgsl(address, first, (at) => bytes(at, true), 4))} + pair.y`,
    ],
  },
  products: productsInGroups("Q5_1", {
    block: BLOCK,
    blockBytes: BYTES,
    count: 1,
    fours: foursOfBytes(2, byteFactor),
    sign: 1,
    words: ({ block, bytes }) => fiveBits(block, bytes + 4),
    codes: (numbers, words) => codesOfBytes(numbers, words, 31),
    scales: halfPairs,
  }),
}
