/**
 * What blocks of Q4_K and Q5_K share: eight parts of 32 numbers.
 *
 * The 12 bytes at byte 4 have the parts' scales and minima in 6 bits each: those of the first four in bytes 0 to 3 and 4 to
 * 7; of the others the lower bits in the halves of bytes 8 to 11, the upper two above those of the first.
 * @module
 */
import { type Code, f32, i32, select } from "../../wasm/assembler.ts"
import { type Bytes, nibbles, nibblesInWgsl } from "./codes.ts"
import { halfAt, loadHalf } from "./halves.ts"

/** Scale and minimum of part 0 to 7 of the block at a byte: its numbers are `scale * q - least`. */
export function scalesOf(bytes: Uint8Array, at: number, part: number): readonly [scale: number, least: number] {
  const s = at + 4 + part
  const [scale, least] = part < 4
    ? [bytes[s] & 63, bytes[s + 4] & 63]
    : [bytes[s + 4] & 15 | bytes[s - 4] >> 6 << 4, bytes[s + 4] >> 4 | bytes[s] >> 6 << 4]
  return [halfAt(bytes, at) * scale, halfAt(bytes, at + 2) * least]
}

/** {@link scalesOf} the block at a byte address, for a dynamic part. */
export const loadScales = (address: Code, part: Code): readonly [scale: Code, least: Code] => {
  const place = i32.add(address, part)
  const byte = (offset: number) => i32.load8U(place, offset)
  const six = (offset: number) => i32.and(byte(offset), i32.const(63))
  const upper = (offset: number) => i32.shl(i32.shrU(byte(offset), i32.const(6)), i32.const(4))
  const early = i32.ltU(part, i32.const(4))
  const scale = select(six(4), i32.or(i32.and(byte(8), i32.const(15)), upper(0)), early)
  const least = select(six(8), i32.or(i32.shrU(byte(8), i32.const(4)), upper(4)), early)
  return [f32.mul(loadHalf(address), f32.convert(scale)), f32.mul(loadHalf(address, 2), f32.convert(least))]
}

/** WGSL of {@link loadScales}: statements that name `scale` and `least` of the part with number `first`. */
export const scalesInWgsl = (address: string, first: string, bytes: Bytes): ReadonlyArray<string> => [
  `let part = ${first} >> 5u; let early = part < 4u; let place = (part & 3u) * 8u;`,
  `let halves = unpack2x16float(${bytes(address, true)});`,
  `let scales = ${bytes(`${address} + 4u`, true)} >> place;`,
  `let minima = ${bytes(`${address} + 8u`, true)} >> place;`,
  `let late = ${bytes(`${address} + 12u`, true)} >> place;`,
  "let scale = halves.x * f32(select((late & 15u) | ((scales >> 2u) & 48u), scales & 63u, early));",
  "let least = halves.y * f32(select(((late >> 4u) & 15u) | ((minima >> 2u) & 48u), minima & 63u, early));",
]

/** Codes of 4 bits from number `first` on: in each 32 bytes, the lower bits are of one part, the upper of the next. */
export const loadNibbles = (address: Code, first: Code, offset: number): Code => {
  const pair = i32.shl(i32.shrU(first, i32.const(6)), i32.const(5))
  const word = i32.load(i32.add(address, i32.add(pair, i32.and(first, i32.const(31)))), offset)
  return nibbles(word, i32.shrU(i32.and(first, i32.const(32)), i32.const(3)))
}

/** WGSL of {@link loadNibbles}. */
export const loadNibblesInWgsl = (
  address: string,
  first: string,
  bytes: Bytes,
  offset: number,
): string =>
  nibblesInWgsl(
    bytes(`${address} + ${offset}u + ((${first} >> 6u) << 5u) + (${first} & 31u)`, true),
    `(${first} & 32u) >> 3u`,
  )
