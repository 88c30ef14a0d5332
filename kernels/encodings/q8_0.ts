import type { BlockEncoding } from "../encoding.ts"
import { f32x4, i32, i32x4, v128 } from "../wasm/assembler.ts"
import { reciprocal } from "./parts/codes.ts"
import { HALF_OVERFLOW, halfAt, loadHalf, putHalf } from "./parts/halves.ts"
import { productsInGroups } from "../matmul/wasm/groups/products.ts"
import { foursOfBytes, halfScales, signedBytes } from "./parts/vectors.ts"

const BLOCK = 32, BYTES = 34

/** To the nearest, and away from zero half way between two; without a branch on the sign, which no CPU foresees. */
const round = (x: number): number => (2 * x | 0) - (x | 0)

/** Q8_0 of GGUF: 32 numbers `scale * q` in 34 bytes, the scale in half precision, q from -127 to 127 in a byte. */
export const Q8_0: BlockEncoding = {
  name: "Q8_0",
  block: BLOCK,
  blockBytes: BYTES,
  costly: true,
  overflow: HALF_OVERFLOW * 127,
  encode: (data, to) => {
    for (let i = 0, at = 0; i < data.length; i += BLOCK, at += BYTES) {
      let most = 0
      for (let j = 0; j < BLOCK; j++) most = Math.max(most, Math.abs(data[i + j]))
      const scale = Math.fround(most / 127), inverse = reciprocal(scale)
      putHalf(to, at, scale)
      for (let j = 0; j < BLOCK; j++) to[at + 2 + j] = round(Math.fround(data[i + j] * inverse))
    }
  },
  decode: {
    reference: (from, to) => {
      for (let i = 0, at = 0; i < to.length; i += BLOCK, at += BYTES) {
        const scale = halfAt(from, at)
        for (let j = 0; j < BLOCK; j++) to[i + j] = scale * (from[at + 2 + j] << 24 >> 24)
      }
    },
    wasm: (_, address, first) => {
      const codes = i32x4.fromBytesS(v128.load32Zero(i32.add(address, first), 2))
      return f32x4.mul(f32x4.splat(loadHalf(address)), f32x4.convertS(codes))
    },
    wgsl: (address, first, bytes) => {
      const codes = `vec4<u32>(${bytes(`${address} + 2u + ${first}`)}) << vec4<u32>(24u, 16u, 8u, 0u)`
      return `unpack2x16float(${bytes(address)}).x * vec4<f32>(bitcast<vec4<i32>>(${codes}) >> vec4<u32>(24u))`
    },
  },
  products: productsInGroups("Q8_0", {
    block: BLOCK,
    blockBytes: BYTES,
    count: 1,
    fours: foursOfBytes(2, () => 2 ** -24),
    words: ({ block, bytes }) => [v128.load(block, bytes + 2), v128.load(block, bytes + 18)],
    codes: (numbers, words) => words.flatMap((word) => signedBytes(numbers, word)),
    scales: halfScales,
  }),
}
