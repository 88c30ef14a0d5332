import type { BlockEncoding } from "../encoding.ts"
import { f32x4, v128 } from "../wasm/assembler.ts"
import { codesAsFloats, codesInWgsl, nibblesOf, nibblesOfInWgsl, reciprocal } from "./parts/codes.ts"
import { HALF_OVERFLOW, halfAt, loadHalf, putHalf } from "./parts/halves.ts"
import { productsInGroups } from "../matmul/wasm/groups/products.ts"
import { byteFactor, codesOfBytes, foursOfBytes, halfScales, upperHalves } from "./parts/vectors.ts"

const BLOCK = 32, BYTES = 18

/** The number of the largest magnitude; of several, the first. NaN stays. */
function extreme(data: Float32Array, from: number): number {
  let most = data[from]
  for (let j = 1; j < BLOCK; j++) {
    const x = data[from + j]
    if (Math.abs(x) > Math.abs(most) || Number.isNaN(x)) most = x
  }
  return most
}

/** Codes for numbers; the sum is rounded to f32 before it is cut, as the reference does. */
const code = (x: number, inverse: number): number => Math.min(15, Math.fround(x * inverse + 8.5) | 0)

/**
 * Q4_0 of GGUF: 32 numbers `scale * (q - 8)` in 18 bytes, the scale in half precision, then q from 0 to 15: number j in
 * the lower half of byte j, number j + 16 in the upper.
 */
export const Q4_0: BlockEncoding = {
  name: "Q4_0",
  block: BLOCK,
  blockBytes: BYTES,
  costly: true,
  overflow: HALF_OVERFLOW * 8,
  encode: (data, to) => {
    for (let i = 0, at = 0; i < data.length; i += BLOCK, at += BYTES) {
      const scale = Math.fround(extreme(data, i) / -8), inverse = reciprocal(scale)
      putHalf(to, at, scale)
      for (let j = 0; j < BLOCK / 2; j++) {
        to[at + 2 + j] = code(data[i + j], inverse) | code(data[i + j + 16], inverse) << 4
      }
    }
  },
  decode: {
    reference: (from, to) => {
      for (let i = 0, at = 0; i < to.length; i += BLOCK, at += BYTES) {
        const scale = halfAt(from, at)
        for (let j = 0; j < BLOCK / 2; j++) {
          const byte = from[at + 2 + j]
          to[i + j] = scale * ((byte & 15) - 8)
          to[i + j + 16] = scale * ((byte >> 4) - 8)
        }
      }
    },
    wasm: (module, address, first) => {
      const codes = codesAsFloats(nibblesOf(address, first, 2))
      return f32x4.mul(f32x4.splat(loadHalf(address)), f32x4.sub(codes, module.pooled(f32x4.const(8))))
    },
    wgsl: (address, first, bytes) => {
      const codes = codesInWgsl(nibblesOfInWgsl(address, first, bytes, 2))
      return `unpack2x16float(${bytes(address)}).x * (${codes} - 8.0)`
    },
  },
  products: productsInGroups("Q4_0", {
    block: BLOCK,
    blockBytes: BYTES,
    count: 1,
    fours: foursOfBytes(2, byteFactor),
    bias: -8,
    words: ({ block, bytes }) => [v128.load(block, bytes + 2)],
    codes: (numbers, [word]) => codesOfBytes(numbers, [word, upperHalves(word)], 15),
    scales: halfScales,
  }),
}
