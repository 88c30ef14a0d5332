/**
 * Four neighbours of a strided row at a time, and what is left of a row that is no multiple of four.
 * @module
 */
import { type Code, forRange, i32, set, v128 } from "./assembler.ts"

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
