import type { BlockEncoding } from "../encoding.ts"
import { f32x4, i32 } from "../wasm/assembler.ts"
import { codesAsFloats, codesInWgsl } from "./parts/codes.ts"
import { loadNibbles, loadNibblesInWgsl, loadScales, scalesInWgsl, scalesOf } from "./parts/k_scales.ts"

const BLOCK = 256, BYTES = 176

/**
 * Q5_K of GGUF, to be read: 256 numbers in 176 bytes, in eight parts of 32 that are `scale * q - least` each. Two scales in
 * half precision, the parts' own in 6 bits, 32 bytes of fifth bits (bit p of byte j is of number j of part p), then the
 * lower four bits: in each 32 bytes the lower halves are one part, the upper halves the next.
 */
export const Q5_K: BlockEncoding = {
  name: "Q5_K",
  block: BLOCK,
  blockBytes: BYTES,
  costly: true,
  decode: {
    reference: (from, to) => {
      for (let i = 0, at = 0; i < to.length; i += BLOCK, at += BYTES) {
        for (let part = 0; part < 8; part++) {
          const [scale, least] = scalesOf(from, at, part)
          const codes = at + 48 + 32 * (part >> 1), shift = 4 * (part & 1)
          for (let j = 0; j < 32; j++) {
            const fifth = from[at + 16 + j] >> part & 1
            to[i + 32 * part + j] = scale * (from[codes + j] >> shift & 15 | fifth << 4) - least
          }
        }
      }
    },
    wasm: (_, address, first) => {
      const part = i32.shrU(first, i32.const(5))
      const [scale, least] = loadScales(address, part)
      const fifth = i32.shrU(i32.load(i32.add(address, i32.and(first, i32.const(31))), 16), part)
      const high = i32.shl(i32.and(fifth, i32.const(0x01010101)), i32.const(4))
      const codes = codesAsFloats(i32.or(loadNibbles(address, first, 48), high))
      return f32x4.sub(f32x4.mul(f32x4.splat(scale), codes), f32x4.splat(least))
    },
    wgsl: (address, first, bytes) => [
      ...scalesInWgsl(address, first, bytes),
      `let fifth = (${bytes(`${address} + 16u + (${first} & 31u)`, true)} >> part) & 0x01010101u;`,
      `scale * ${codesInWgsl(`(${loadNibblesInWgsl(address, first, bytes, 48)} | (fifth << 4u))`)} - least`,
    ],
  },
}
