/**
 * Codes of 4 and 5 bits within blocks: four neighbours as the bytes of a word, in WebAssembly and in WGSL.
 * @module
 */
import { type Code, f32x4, i32, i32x4 } from "../../wasm/assembler.ts"

/** WGSL of the four bytes from any byte address on, or from one that is a multiple of 4. */
export type Bytes = (address: string, aligned?: boolean) => string

/** 1 / scale in f32, by which numbers become codes; 0 where the scale is 0, or so small that this is infinite. */
export const reciprocal = (scale: number): number => {
  const inverse = Math.fround(1 / scale)
  return Number.isFinite(inverse) ? inverse : 0
}

/** The four bytes of an i32, each below 128, as f32. */
export const codesAsFloats = (word: Code): Code => f32x4.convertS(i32x4.fromBytesS(i32x4.splat(word)))

/** Of the bytes of an i32, the four bits from a dynamic place on: 0 or 4. */
export const nibbles = (word: Code, shift: Code): Code => i32.and(i32.shrU(word, shift), i32.const(0x0f0f0f0f))

/** WGSL of {@link nibbles}. */
export const nibblesInWgsl = (word: string, shift: string): string => `((${word} >> (${shift})) & 0x0f0f0f0fu)`

/** Codes of 4 bits from number `first` on of 32 in 16 bytes: those of the second half are the upper bits. */
export const nibblesOf = (address: Code, first: Code, offset: number): Code =>
  nibbles(
    i32.load(i32.add(address, i32.and(first, i32.const(15))), offset),
    i32.shrU(i32.and(first, i32.const(16)), i32.const(2)),
  )

/** WGSL of {@link nibblesOf}. */
export const nibblesOfInWgsl = (address: string, first: string, bytes: Bytes, offset: number): string =>
  nibblesInWgsl(bytes(`${address} + ${offset}u + (${first} & 15u)`), `(${first} & 16u) >> 2u`)

/** Codes of 5 bits from number `first` on of 32: the fifth bits in 4 bytes, the others behind them in 16. */
export const fiveBitsOf = (address: Code, first: Code, offset: number): Code => {
  const four = i32.and(i32.shrU(i32.load(address, offset), first), i32.const(15))
  // Bit i moves to bit 8 i.
  const apart = i32.and(i32.mul(four, i32.const(0x00204081)), i32.const(0x01010101))
  return i32.or(nibblesOf(address, first, offset + 4), i32.shl(apart, i32.const(4)))
}

/** WGSL of {@link fiveBitsOf}. */
export const fiveBitsOfInWgsl = (address: string, first: string, bytes: Bytes, offset: number): string => {
  const four = `((${bytes(`${address} + ${offset}u`)} >> ${first}) & 15u)`
  return `(${nibblesOfInWgsl(address, first, bytes, offset + 4)} | (((${four} * 0x00204081u) & 0x01010101u) << 4u))`
}

/** WGSL of {@link codesAsFloats}: the four bytes of a u32. */
export const codesInWgsl = (word: string): string =>
  `vec4<f32>((vec4<u32>(${word}) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u))`
