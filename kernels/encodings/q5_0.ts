import type { BlockEncoding } from "../encoding.ts"
import { f32x4 } from "../wasm/assembler.ts"
import { codesAsFloats, codesInWgsl, fiveBitsOf, fiveBitsOfInWgsl } from "./parts/codes.ts"
import { halfAt, loadHalf } from "./parts/halves.ts"
import { productsInGroups } from "../matmul/wasm/groups/products.ts"
import { byteFactor, codesOfBytes, fiveBits, foursOfBytes, halfScales } from "./parts/vectors.ts"

const BLOCK = 32, BYTES = 22

/**
 * Q5_0 of GGUF, to be read: 32 numbers `scale * (q - 16)` in 22 bytes: the scale in half precision, the fifth bits of all
 * codes, then their lower four: of number j in the lower half of byte j, of number j + 16 in the upper.
 */
export const Q5_0: BlockEncoding = {
  name: "Q5_0",
  block: BLOCK,
  blockBytes: BYTES,
  costly: true,
  decode: {
    reference: (from, to) => {
      for (let i = 0, at = 0; i < to.length; i += BLOCK, at += BYTES) {
        const scale = halfAt(from, at)
        for (let j = 0; j < BLOCK; j++) {
          const low = from[at + 6 + j % 16] >> (j < 16 ? 0 : 4) & 15
          const fifth = from[at + 2 + (j >> 3)] >> (j & 7) & 1
          to[i + j] = scale * ((low | fifth << 4) - 16)
        }
      }
    },
    wasm: (module, address, first) => {
      const codes = codesAsFloats(fiveBitsOf(address, first, 2))
      return f32x4.mul(f32x4.splat(loadHalf(address)), f32x4.sub(codes, module.pooled(f32x4.const(16))))
    },
    wgsl: (address, first, bytes) => {
      const codes = codesInWgsl(fiveBitsOfInWgsl(address, first, bytes, 2))
      return `unpack2x16float(${bytes(address)}).x * (${codes} - 16.0)`
    },
  },
  products: productsInGroups("Q5_0", {
    block: BLOCK,
    blockBytes: BYTES,
    count: 1,
    fours: foursOfBytes(2, byteFactor),
    bias: -16,
    words: ({ block, bytes }) => fiveBits(block, bytes + 2),
    codes: (numbers, words) => codesOfBytes(numbers, words, 31),
    scales: halfScales,
  }),
}
