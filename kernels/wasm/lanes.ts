/**
 * Loads and stores of four neighbours of a strided row, or of fewer at its end.
 * @module
 */
import type { View } from "../contract.ts"
import { type BlockEncoding, type ElementEncoding, type Encoding, inBlocks } from "../encoding.ts"
import {
  type Code,
  forRange,
  globalGet,
  globalSet,
  i32,
  i32x4,
  inMemory,
  type ModuleBuilder,
  set,
  v128,
} from "./assembler.ts"
import type { KernelContext } from "./kernel.ts"
import { memoryOf } from "./placed.ts"

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

/** Distance between neighbours as addresses of a kernel count it: in bytes, or in elements where blocks hold them. */
export const stepOf = ({ block, blockBytes }: Encoding): number => block === 1 ? blockBytes : 1

/** Byte address of a view's first element; in blocks its number, see {@link countBlocksFrom}. */
export const firstElement = ({ address, encoding }: KernelContext, { buffer, offset }: View): Code =>
  inBlocks(encoding(buffer))
    ? i32.const(offset)
    : i32.add(address(buffer), i32.const(stepOf(encoding(buffer)) * offset))

/** `place`, which counts the bytes of f32, in steps of another encoding. */
export const placeIn = (encoding: Encoding, place: Code): Code =>
  stepOf(encoding) === 4 ? place : i32.shrU(place, i32.const(stepOf(encoding) === 2 ? 1 : 2))

/** Global of a thread with the byte address from which the blocks that it reads are counted. */
const firstBlock = (module: ModuleBuilder): number => module.once("first block", () => module.global())
/** Code that a thread runs before it reads blocks, whose addresses are then numbers of elements. */
export const countBlocksFrom = (module: ModuleBuilder, address: Code): Code => globalSet(firstBlock(module), address)

/** Byte address of the block with an element of that number. */
export const blockOf = (module: ModuleBuilder, { block, blockBytes }: BlockEncoding, element: Code): Code =>
  i32.add(globalGet(firstBlock(module)), i32.mul(i32.divU(element, i32.const(block)), i32.const(blockBytes)))

/** Four neighbours in blocks, from an element on whose number is a multiple of four. */
const loadFromBlocks = (module: ModuleBuilder, encoding: BlockEncoding, element: Code): Code => {
  const address = blockOf(module, encoding, element), first = i32.remU(element, i32.const(encoding.block))
  return inMemory(memoryOf(encoding), () => encoding.decode.wasm(module, address, first))
}

/** As {@link loadLanes}, of elements in any encoding and memory, as f32. Blocks give fours of neighbours only. */
export const loadStored = (
  module: ModuleBuilder,
  encoding: Encoding,
  address: Code,
  stride: number,
  count: number,
  offset: number,
): Code => {
  if (!inBlocks(encoding)) {
    return inMemory(memoryOf(encoding), () => loadElements(module, encoding, address, stride, count, offset))
  }
  if (stride !== 1 || count !== 4) throw new Error(`${encoding.name} is read in fours of neighbours`)
  return loadFromBlocks(module, encoding, i32.add(address, i32.const(offset)))
}

const loadElements = (
  module: ModuleBuilder,
  encoding: ElementEncoding,
  address: Code,
  stride: number,
  count: number,
  offset: number,
): Code => {
  if (encoding.blockBytes === 4) return encoding.decode.wasm(module, loadLanes(address, stride, count, offset))
  const place = (lane: number) => at(address, 2 * (offset + lane * stride))
  if (stride === 1 && count === 4) return encoding.decode.wasm(module, v128.load16x4S(...place(0)))
  if (stride === 0 && count === 4) return encoding.decode.wasm(module, i32x4.splat(i32.load16S(...place(0))))
  let bits = i32x4.const(0)
  for (let lane = 0; lane < count; lane++) bits = i32x4.replaceLane(bits, lane, i32.load16S(...place(lane)))
  return encoding.decode.wasm(module, bits)
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
 * @param body Code for a number of lanes; it is inside loops, and written twice if there is a tail.
 */
export const forColumns = (place: number, count: number, body: (lanes: number) => Code): Code => {
  const whole = 16 * Math.floor(count / 4)
  return [
    whole === 0 ? set(place, i32.const(0)) : forRange(place, i32.const(0), i32.const(whole), 16, body(4)),
    count % 4 === 0 ? [] : body(count % 4),
  ]
}
