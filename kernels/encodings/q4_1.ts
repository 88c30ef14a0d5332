import type { AffineEncoding } from "../encoding.ts"
import { productsInGroups } from "../matmul/wasm/groups/products.ts"
import { f32x4, v128 } from "../wasm/assembler.ts"
import { codesAsFloats, codesInWgsl, nibblesOf, nibblesOfInWgsl, reciprocal } from "./parts/codes.ts"
import { codesOfBytes, foursOfBytes, halfPairs, upperHalves } from "./parts/vectors.ts"
import { HALF_OVERFLOW, halfAt, halfOffsets, loadHalf, putHalf } from "./parts/halves.ts"

const BLOCK = 32, BYTES = 20

const code = (x: number, least: number, inverse: number): number =>
  Math.min(15, Math.fround(Math.fround(Math.fround(x - least) * inverse) + 0.5) | 0)

/**
 * Q4_1 of GGUF: 32 numbers `scale * q + offset` in 20 bytes, scale and offset in half precision, then q from 0 to 15:
 * number j in the lower half of byte j, number j + 16 in the upper.
 */
export const Q4_1: AffineEncoding = {
  name: "Q4_1",
  block: BLOCK,
  blockBytes: BYTES,
  costly: true,
  overflow: HALF_OVERFLOW,
  affine: halfOffsets(BYTES, 2),
  encode: (data, to) => {
    for (let i = 0, at = 0; i < data.length; i += BLOCK, at += BYTES) {
      let least = data[i], most = data[i]
      for (let j = 1; j < BLOCK; j++) {
        least = Math.min(least, data[i + j])
        most = Math.max(most, data[i + j])
      }
      const scale = Math.fround(Math.fround(most - least) / 15), inverse = reciprocal(scale)
      putHalf(to, at, scale)
      putHalf(to, at + 2, least + 0) // not -0
      for (let j = 0; j < BLOCK / 2; j++) {
        to[at + 4 + j] = code(data[i + j], least, inverse) | code(data[i + j + 16], least, inverse) << 4
      }
    }
  },
  decode: {
    reference: (from, to) => {
      for (let i = 0, at = 0; i < to.length; i += BLOCK, at += BYTES) {
        const scale = halfAt(from, at), offset = halfAt(from, at + 2)
        for (let j = 0; j < BLOCK / 2; j++) {
          const byte = from[at + 4 + j]
          to[i + j] = scale * (byte & 15) + offset
          to[i + j + 16] = scale * (byte >> 4) + offset
        }
      }
    },
    wasm: (_, address, first) => {
      const codes = codesAsFloats(nibblesOf(address, first, 4))
      return f32x4.add(f32x4.mul(f32x4.splat(loadHalf(address)), codes), f32x4.splat(loadHalf(address, 2)))
    },
    wgsl: (address, first, bytes) => [
      `let pair = unpack2x16float(${bytes(address, true)});`,
      `pair.x * ${codesInWgsl(nibblesOfInWgsl(address, first, (at) => bytes(at, true), 4))} + pair.y`,
    ],
  },
  products: productsInGroups("Q4_1", {
    block: BLOCK,
    blockBytes: BYTES,
    count: 1,
    fours: foursOfBytes(2, (byte) => 2 ** (-8 * byte)),
    sign: 1,
    words: ({ block, bytes }) => [v128.load(block, bytes + 4)],
    codes: (numbers, [word]) => codesOfBytes(numbers, [word, upperHalves(word)], 15),
    scales: halfPairs,
  }),
}
