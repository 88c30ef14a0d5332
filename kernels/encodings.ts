/**
 * The encodings of the engine: f32 itself, and the 16-bit floats.
 * @module
 */
import { narrowBF16, narrowF16, widenBF16, widenF16 } from "../core/tensor/half_floats.ts"
import type { StoredAs } from "../core/tensor/dtype.ts"
import type { ElementEncoding, Encoding, EncodingTable } from "./encoding.ts"
import { f32x4, i32, i32x4, v128 } from "./wasm/assembler.ts"

const floats = (data: Float32Array) => new Uint32Array(data.buffer, data.byteOffset, data.length)
const halves = (bytes: Uint8Array) => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)

/** The numbers themselves. */
export const F32: ElementEncoding = {
  name: "f32",
  block: 1,
  blockBytes: 4,
  encode: (data, to) => to.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  decode: {
    reference: (from, to) => new Uint8Array(to.buffer, to.byteOffset, to.byteLength).set(from),
    wasm: (_, bits) => bits,
    wgsl: { one: (bits) => `bitcast<f32>(${bits})`, four: (bits) => `bitcast<vec4<f32>>(${bits})` },
  },
}

/** The upper half of each f32, rounded to the nearest: its range, and 8 bits of precision. */
export const BF16: ElementEncoding = {
  name: "bf16",
  block: 1,
  blockBytes: 2,
  overflow: (2 - 2 ** -8) * 2 ** 127,
  encode: (data, to) => narrowBF16(floats(data), halves(to)),
  decode: {
    reference: (from, to) => widenBF16(halves(from), floats(to)),
    wasm: (_, bits) => i32x4.shl(bits, i32.const(16)),
    wgsl: {
      one: (bits) => `bitcast<f32>(${bits} << 16u)`,
      four: (w) =>
        `bitcast<vec4<f32>>(vec4<u32>(${w}.x << 16u, ${w}.x & 0xffff0000u, ${w}.y << 16u, ${w}.y & 0xffff0000u))`,
    },
  },
}

/** IEEE half floats: 11 bits of precision, magnitudes below 65520. */
export const F16: ElementEncoding = {
  name: "f16",
  block: 1,
  blockBytes: 2,
  costly: true,
  overflow: 65520,
  encode: (data, to) => narrowF16(floats(data), halves(to)),
  decode: {
    reference: (from, to) => widenF16(halves(from), floats(to)),
    wasm: (module, bits) => {
      const whole = (value: number) => module.pooled(i32x4.const(value))
      // As bits of an f32 it is too small by 2^112, subnormal or not; infinity and NaN lack ones in the exponent.
      const small = v128.and(i32x4.shl(bits, i32.const(13)), whole(0x8fffe000 | 0))
      const special = v128.and(i32x4.gtS(v128.and(bits, whole(0x7fff)), whole(0x7bff)), whole(0x7f800000))
      return v128.or(f32x4.mul(small, module.pooled(f32x4.const(2 ** 112))), special)
    },
    wgsl: {
      one: (bits) => `unpack2x16float(${bits}).x`,
      four: (w) => `vec4<f32>(unpack2x16float(${w}.x), unpack2x16float(${w}.y))`,
    },
  },
}

/** These by name. */
export const builtinEncodings: EncodingTable = new Map([F32, BF16, F16].map((encoding) => [encoding.name, encoding]))

/**
 * The encoding that is meant. Throws where none has the name.
 *
 * @param own Those of a program that are not built in.
 */
export function encodingOf(stored: StoredAs = F32, own?: EncodingTable): Encoding {
  if (typeof stored !== "string") return stored as Encoding
  const encoding = builtinEncodings.get(stored) ?? own?.get(stored)
  if (encoding === undefined) throw new Error(`No encoding is named "${stored}": give its value`)
  return encoding
}

/** Place of the first finite number that would become infinite; -1 where there is none. */
export function firstOverflow({ overflow }: Encoding, data: Float32Array): number {
  if (overflow === undefined) return -1
  // All weights pass here: a callback for each would take longer than reading them.
  for (let i = 0; i < data.length; i++) {
    const size = Math.abs(data[i])
    if (size >= overflow && size < Infinity) return i
  }
  return -1
}
