import type { BlockEncoding } from "../encoding.ts"
import { f32, f32x4, i32 } from "../wasm/assembler.ts"
import { codesAsFloats, codesInWgsl, nibbles, nibblesInWgsl } from "./parts/codes.ts"
import { halfAt, loadHalf } from "./parts/halves.ts"

const BLOCK = 256, BYTES = 210

/**
 * Q6_K of GGUF, to be read: 256 numbers in 210 bytes, in 16 parts of 16 that are `scale * (q - 32)` each. The lower four
 * bits of the codes, the upper two, the parts' scales as signed bytes, and a scale of these in half precision. Number n of a
 * half of 128 has its lower bits in byte n % 64, the upper ones in byte n % 32.
 */
export const Q6_K: BlockEncoding = {
  name: "Q6_K",
  block: BLOCK,
  blockBytes: BYTES,
  costly: true,
  decode: {
    reference: (from, to) => {
      for (let i = 0, at = 0; i < to.length; i += BLOCK, at += BYTES) {
        const whole = halfAt(from, at + 208)
        for (let j = 0; j < BLOCK; j++) {
          const scale = whole * (from[at + 192 + (j >> 4)] << 24 >> 24)
          const low = from[at + (j >> 7) * 64 + (j & 63)] >> (j & 64 ? 4 : 0) & 15
          const high = from[at + 128 + (j >> 7) * 32 + (j & 31)] >> 2 * (j >> 5 & 3) & 3
          to[i + j] = scale * ((low | high << 4) - 32)
        }
      }
    },
    wasm: (module, address, first) => {
      const bits = (mask: number) => i32.and(first, i32.const(mask))
      const right = (code: ReturnType<typeof bits>, by: number) => i32.shrU(code, i32.const(by))
      const low = nibbles(i32.load(i32.add(address, i32.add(right(bits(128), 1), bits(63)))), right(bits(64), 4))
      const above = i32.load(i32.add(address, i32.add(right(bits(128), 2), bits(31))), 128)
      const high = i32.shl(i32.and(i32.shrU(above, right(bits(96), 4)), i32.const(0x03030303)), i32.const(4))
      const part = i32.load8S(i32.add(address, right(first, 4)), 192)
      const scale = f32.mul(loadHalf(address, 208), f32.convert(part))
      const codes = f32x4.sub(codesAsFloats(i32.or(low, high)), module.pooled(f32x4.const(32)))
      return f32x4.mul(f32x4.splat(scale), codes)
    },
    wgsl: (address, first, bytes) => {
      const at = (place: string) => bytes(`${address} + ${place}`)
      return [
        `let low = ${nibblesInWgsl(at(`((${first} & 128u) >> 1u) + (${first} & 63u)`), `(${first} & 64u) >> 4u`)};`,
        `let above = ${at(`128u + ((${first} & 128u) >> 2u) + (${first} & 31u)`)} >> ((${first} & 96u) >> 4u);`,
        `let part = f32(bitcast<i32>(${at(`192u + (${first} >> 4u)`)} << 24u) >> 24u);`,
        `let scale = unpack2x16float(${at("208u")}).x * part;`,
        `scale * (${codesInWgsl("(low | ((above & 0x03030303u) << 4u))")} - 32.0)`,
      ]
    },
  },
}
