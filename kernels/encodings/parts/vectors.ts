/**
 * Codes and scales of whole groups as vectors in WebAssembly, for products that read whole blocks.
 * @module
 */
import type { Four, GroupPlace, Groups } from "../../matmul/wasm/groups/groups.ts"
import { type Code, f32x4, type FunctionScope, get, i32, i32x4, i8x16, set, v128 } from "../../wasm/assembler.ts"
import type { Numbers } from "../../wasm/vector_math.ts"

/** Fours of codes that lie in bytes: byte j of each of the four words of 16 neighbours. */
export const foursOfBytes = (sixteens: number, factor: (byte: number) => number): ReadonlyArray<Four> =>
  Array.from({ length: 4 * sixteens }, (_, v) => ({ first: 16 * (v >> 2) + v % 4, step: 4, factor: factor(v % 4) }))

/** What codes of {@link codesOfBytes} are to be multiplied by. */
export const byteFactor = (byte: number): number => 2 ** (-8 * byte)

/** Codes below 128 that lie in bytes, each times 256 for each byte before it in its word. */
export const codesOfBytes = (numbers: Numbers, words: ReadonlyArray<Code>, mask: number): ReadonlyArray<Code> =>
  words.flatMap((word) => [0, 8, 16, 24].map((bit) => f32x4.convertS(v128.and(word, numbers.whole(mask << bit)))))

/** The signed bytes of a vector, by their place in the words, each times 2^24. */
export const signedBytes = (numbers: Numbers, word: Code): ReadonlyArray<Code> => {
  const top = (moved: Code) => f32x4.convertS(v128.and(moved, numbers.whole(0xff << 24)))
  const up = (by: number) => i32x4.shl(word, i32.const(by))
  return [f32x4.convertS(up(24)), top(up(16)), top(up(8)), top(word)]
}

/** Of 16 codes the fifth bits: byte j has bit j of two bytes of a vector at its own bit 4. */
const fifthBits = (bits: Code, byte: number): Code => {
  const places = v128.const(0x08040201, 0x80402010 | 0, 0x08040201, 0x80402010 | 0)
  const spread = i8x16.shuffle(bits, bits, Array.from({ length: 16 }, (_, j) => byte + (j >> 3)))
  return v128.and(i8x16.eq(v128.and(spread, places), places), i32x4.const(0x10101010))
}

/** Codes of 5 bits as bytes: the fifth bits of 32 from a byte on, then their lower four bits. */
export const fiveBits = (block: Code, bytes: number): ReadonlyArray<Code> => {
  const bits = v128.load32Zero(block, bytes), low = v128.load(block, bytes + 4)
  const four = (word: Code) => v128.and(word, i32x4.const(0x0f0f0f0f))
  return [v128.or(four(low), fifthBits(bits, 0)), v128.or(four(upperHalves(low)), fifthBits(bits, 2))]
}

/** The upper halves of bytes moved down; what comes from the next byte is to be masked. */
export const upperHalves = (word: Code): Code => i32x4.shrU(word, i32.const(4))

/** Four numbers in half precision, each in a lane with its sign extended, as f32; infinite ones and NaN are infinite. */
export const halvesAsFloats = (numbers: Numbers, bits: Code): Code => {
  // As bits of an f32 they are too small by 2^112; the detour over 2^112 times the values makes what is infinite so.
  const small = v128.and(i32x4.shl(bits, i32.const(13)), numbers.whole(0x8fffe000 | 0))
  const large = f32x4.mul(f32x4.mul(small, numbers.number(2 ** 127)), numbers.number(2 ** 97))
  return f32x4.mul(large, numbers.number(2 ** -112))
}

/** Of even groups and of odd ones, one or two each, vectors with their scales; zeros where there is no group. */
export const twoByTwo = (
  [first, second, third, fourth]: ReadonlyArray<GroupPlace>,
  scales: (first: GroupPlace, second?: GroupPlace) => Code,
): readonly [Code, Code] => [scales(first, third), second === undefined ? f32x4.const(0) : scales(second, fourth)]

/** The first 32 bits of the blocks of groups: of the first and third, then of the second and fourth. */
const headsOf = ([first, ...others]: ReadonlyArray<GroupPlace>): Code =>
  others.reduce<Code>(
    (heads, { block, bytes }, i) => v128.load32Lane([2, 1, 3][i], block, heads, bytes),
    v128.load32Zero(first.block, first.bytes),
  )

const halvesOf = (numbers: Numbers, heads: Code, scope: FunctionScope): readonly [Code, Code] => {
  const bits = scope.local("v128")
  return [
    [set(bits, heads), halvesAsFloats(numbers, i32x4.fromHalvesS(get(bits)))],
    halvesAsFloats(numbers, i32x4.fromUpperHalvesS(get(bits))),
  ]
}

/** Scales and offsets in half precision, side by side at the beginning of a block: see `Groups.scales`. */
export const halfPairs: Groups["scales"] = (numbers, places, scope) => halvesOf(numbers, headsOf(places), scope)

/** Scales in half precision at the beginning of a block: see `Groups.scales`. */
export const halfScales: Groups["scales"] = (numbers, places, scope) =>
  halvesOf(numbers, v128.and(headsOf(places), numbers.whole(0xffff)), scope)
