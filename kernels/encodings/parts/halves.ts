/**
 * Numbers in half precision within blocks: scales and offsets.
 * @module
 */
import { narrowF16, widenF16 } from "../../../core/tensor/half_floats.ts"
import type { AffineBlocks } from "../../encoding.ts"
import { choose, type Code, f32, i32 } from "../../wasm/assembler.ts"

const half = new Uint16Array(1), single = new Float32Array(1), bits = new Uint32Array(single.buffer)

/** The first magnitude that half precision rounds to infinity. */
export const HALF_OVERFLOW = 65520

/** The number in half precision at a place. */
export function halfAt(bytes: Uint8Array, at: number): number {
  half[0] = bytes[at] | bytes[at + 1] << 8
  widenF16(half, bits)
  return single[0]
}

/** Writes a number in half precision, rounded to the nearest. */
export function putHalf(bytes: Uint8Array, at: number, value: number): void {
  single[0] = value
  narrowF16(bits, half)
  bytes[at] = half[0] & 0xff
  bytes[at + 1] = half[0] >> 8
}

/** Offsets of blocks that lie in half precision at a byte of each block. Adding beyond its range is a RangeError. */
export const halfOffsets = (blockBytes: number, at: number): AffineBlocks => ({
  offsets: (bytes) =>
    Float32Array.from({ length: bytes.length / blockBytes }, (_, block) => halfAt(bytes, block * blockBytes + at)),
  addOffsets: (bytes, deltas) =>
    deltas.forEach((delta, block) => {
      const place = block * blockBytes + at, offset = halfAt(bytes, place) + delta
      if (!(Math.abs(offset) < HALF_OVERFLOW)) {
        throw new RangeError(`the offset ${offset} of block ${block} is beyond half precision, which ends at 65504`)
      }
      putHalf(bytes, place, offset)
    }),
})

/** The number in half precision at a byte address, as an f32; infinite ones and NaN are infinite. */
export const loadHalf = (address: Code, offset = 0): Code => {
  const bits = i32.load16S(address, offset)
  // As bits of an f32 the exponent lacks 112; the detour over 2^112 times the value makes what is infinite so.
  const moved = i32.add(i32.and(i32.shl(bits, i32.const(13)), i32.const(0x8fffe000 | 0)), i32.const(112 << 23))
  const normal = f32.mul(f32.mul(f32.reinterpret(moved), f32.const(2 ** 112)), f32.const(2 ** -112))
  // Multiplying subnormal f32 takes many CPUs a hundred cycles, so subnormal halves become whole numbers.
  const sign = i32.or(i32.shrS(bits, i32.const(31)), i32.const(1))
  const whole = f32.mul(f32.convert(i32.and(bits, i32.const(0x3ff))), f32.convert(sign))
  return choose("f32", i32.and(bits, i32.const(0x7c00)), normal, f32.mul(whole, f32.const(2 ** -24)))
}
