import type { BlockEncoding } from "../encoding.ts"
import { f32x4, i32 } from "../wasm/assembler.ts"
import { codesAsFloats, codesInWgsl } from "./parts/codes.ts"
import { loadNibbles, loadNibblesInWgsl, loadScales, scalesInWgsl, scalesOf } from "./parts/k_scales.ts"

const BLOCK = 256, BYTES = 144

/**
 * Q4_K of GGUF, to be read: 256 numbers in 144 bytes, in eight parts of 32 that are `scale * q - least` each. Two scales in
 * half precision, the parts' own in 6 bits, then q from 0 to 15: in each 32 bytes the lower halves are one part, the upper
 * halves the next.
 */
export const Q4_K: BlockEncoding = {
  name: "Q4_K",
  block: BLOCK,
  blockBytes: BYTES,
  costly: true,
  decode: {
    reference: (from, to) => {
      for (let i = 0, at = 0; i < to.length; i += BLOCK, at += BYTES) {
        for (let part = 0; part < 8; part++) {
          const [scale, least] = scalesOf(from, at, part)
          const codes = at + 16 + 32 * (part >> 1), shift = 4 * (part & 1)
          for (let j = 0; j < 32; j++) to[i + 32 * part + j] = scale * (from[codes + j] >> shift & 15) - least
        }
      }
    },
    wasm: (_, address, first) => {
      const [scale, least] = loadScales(address, i32.shrU(first, i32.const(5)))
      const codes = codesAsFloats(loadNibbles(address, first, 16))
      return f32x4.sub(f32x4.mul(f32x4.splat(scale), codes), f32x4.splat(least))
    },
    wgsl: (address, first, bytes) => [
      ...scalesInWgsl(address, first, bytes),
      `scale * ${codesInWgsl(loadNibblesInWgsl(address, first, bytes, 16))} - least`,
    ],
  },
}
