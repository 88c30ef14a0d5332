/**
 * Four neighbours of a strided row at a time, and what is left of a row that is no multiple of four.
 * @module
 */
import { bytesOf } from "../../core/tensor/dtype.ts"
import type { Storage } from "../contract.ts"
import { type Code, f32x4, forRange, i32, i32x4, type ModuleBuilder, set, v128 } from "./assembler.ts"

const at = (address: Code, bytes: number): [Code, number] =>
  bytes >= 0 ? [address, bytes] : [i32.add(address, i32.const(bytes)), 0]

/**
 * Reads elements into a vector; lanes beyond `count` are 0.
 *
 * @param address Byte address of the first.
 * @param stride Distance between them in elements.
 * @param count 1 to 4.
 * @param offset Constant to add to the address, in elements.
 */
export const loadLanes = (address: Code, stride: number, count: number, offset: number): Code => {
  const bytes = 4 * offset
  if (stride === 0 && count === 4) return v128.load32Splat(...at(address, bytes))
  if (stride === 1 && count === 4) return v128.load(...at(address, bytes))
  let lane = stride === 1 && count > 1 ? 2 : 1
  let vector = lane === 2 ? v128.load64Zero(...at(address, bytes)) : v128.load32Zero(...at(address, bytes))
  for (; lane < count; lane++) {
    const [place, rest] = at(address, bytes + 4 * lane * stride)
    vector = v128.load32Lane(lane, place, vector, rest)
  }
  return vector
}

/** Four f32 from 16-bit floats, each in an i32 lane with its sign extended (`v128.load16x4S`; read twice). Exact. */
const widen = (module: ModuleBuilder, storage: Exclude<Storage, "f32">, halves: Code): Code => {
  if (storage === "bf16") return i32x4.shl(halves, i32.const(16))
  const whole = (value: number) => module.pooled(i32x4.const(value))
  // As bits of an f32 it is too small by 2^112, subnormal or not; infinity and NaN lack ones in the exponent.
  const small = v128.and(i32x4.shl(halves, i32.const(13)), whole(0x8fffe000 | 0))
  const special = v128.and(i32x4.gtS(v128.and(halves, whole(0x7fff)), whole(0x7bff)), whole(0x7f800000))
  return v128.or(f32x4.mul(small, module.pooled(f32x4.const(2 ** 112))), special)
}

/** As {@link loadLanes}, of elements as they are stored; what is not f32 comes out as f32. */
export const loadStored = (
  module: ModuleBuilder,
  storage: Storage,
  address: Code,
  stride: number,
  count: number,
  offset: number,
): Code => {
  if (storage === "f32") return loadLanes(address, stride, count, offset)
  const bytes = bytesOf(storage)
  const place = (lane: number) => at(address, bytes * (offset + lane * stride))
  if (stride === 1 && count === 4) return widen(module, storage, v128.load16x4S(...place(0)))
  if (stride === 0 && count === 4) return widen(module, storage, i32x4.splat(i32.load16S(...place(0))))
  let halves = i32x4.const(0)
  for (let lane = 0; lane < count; lane++) halves = i32x4.replaceLane(halves, lane, i32.load16S(...place(lane)))
  return widen(module, storage, halves)
}

/** Writes the first `count` lanes of a vector (cheap code without side effects: a local). See {@link loadLanes}. */
export const storeLanes = (address: Code, stride: number, count: number, offset: number, vector: Code): Code => {
  const bytes = 4 * offset
  if (stride === 1 && count === 4) {
    const [place, rest] = at(address, bytes)
    return v128.store(place, vector, rest)
  }
  const code: Array<Code> = []
  for (let lane = 0; lane < count; lane++) {
    const [place, rest] = at(address, bytes + 4 * lane * stride)
    code.push(v128.store32Lane(lane, place, vector, rest))
  }
  return code
}

/**
 * Walks `count` neighbours, four at a time; the last ones may be fewer.
 *
 * @param place Local that holds the byte offset of the first of them, for a stride of 1.
 * @param body Code for so many lanes (it stands inside loops, and is written twice when there is a tail).
 */
export const forColumns = (place: number, count: number, body: (lanes: number) => Code): Code => {
  const whole = 16 * Math.floor(count / 4)
  return [
    whole === 0 ? set(place, i32.const(0)) : forRange(place, i32.const(0), i32.const(whole), 16, body(4)),
    count % 4 === 0 ? [] : body(count % 4),
  ]
}
