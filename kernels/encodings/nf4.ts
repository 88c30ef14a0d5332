/**
 * NF4 (Dettmers et al. 2023, arXiv 2305.14314, section 3): sixteen numbers, the quantiles of a normal distribution, times the largest
 * magnitude of a block. Codes have the bytes of bitsandbytes: the first of two in the upper half.
 * @module
 */
import type { BlockEncoding } from "../encoding.ts"
import {
  call,
  type Code,
  f32,
  f32x4,
  type FunctionScope,
  get,
  i16x8,
  i32,
  i32x4,
  i8x16,
  type ModuleBuilder,
  set,
  v128,
} from "../wasm/assembler.ts"
import type { Numbers } from "../wasm/vector_math.ts"
import { productsInGroups } from "../matmul/wasm/groups/products.ts"
import type { Groups } from "../matmul/wasm/groups/groups.ts"
import { twoByTwo } from "./parts/vectors.ts"
import { dequantizeScales, quantizeScales } from "./double_quantization.ts"

/** What distinguishes NF4 encodings. */
export interface NF4Options {
  /** Elements that share a scale: 32 to 4096, a power of two. Default 64. */
  readonly blockSize?: number
  /** Whether the scales of a tensor are rounded to what 8 bits hold of them. Default true. */
  readonly doubleQuantization?: boolean
}

/** The numbers that codes stand for (appendix E of the paper). */
export const NF4_VALUES: Float32Array = Float32Array.of(
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453],
  ...[-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0],
  ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
)

/** Block sizes that {@link nf4} takes. */
export const NF4_BLOCKS: ReadonlyArray<number> = [32, 64, 128, 256, 512, 1024, 2048, 4096]

/** Between a code's number and the next; a number on one takes the lower code. */
const BOUNDS = Float32Array.from(
  { length: 16 },
  (_, code) => code < 15 ? (NF4_VALUES[code] + NF4_VALUES[code + 1]) / 2 : Infinity,
)

/** Lowest code in each of 64 equal cells from -1 to 1, which have at most one bound each. */
const CELLS = Uint8Array.from({ length: 65 }, (_, cell) => BOUNDS.findIndex((bound) => bound >= cell / 32 - 1))

/** Scales below are taken for this one, as bitsandbytes does. */
const LEAST = Math.fround(1e-38)

/** In each byte, the bits of a code times four. */
const FOURS = 0x3c3c3c3c

/** Largest block that products read whole. */
const MOST_IN_PRODUCTS = 256

/** Bytes of the scale, which comes first. */
const CODES = 4

const made = new Map<string, BlockEncoding>()

/**
 * The NF4 encoding. A block is its scale (the largest magnitude) as f32, then the codes. With double quantization the
 * scales are those that 8 bits give for them, in f32 all the same, so that decoding is exact: `settle` rounds them. The
 * same options give the same value. Throws RangeError on a block size that there is not.
 */
export function nf4({ blockSize = 64, doubleQuantization = true }: NF4Options = {}): BlockEncoding {
  if (!NF4_BLOCKS.includes(blockSize)) {
    throw new RangeError(`blockSize must be one of ${NF4_BLOCKS.join(", ")}, got ${blockSize}`)
  }
  const name = `nf4_${blockSize}${doubleQuantization ? "_double" : ""}`
  const known = made.get(name)
  if (known !== undefined) return known
  const encoding = encodingOf(name, blockSize, doubleQuantization)
  made.set(name, encoding)
  return encoding
}

/** Scales of NF4 blocks. */
export function nf4Scales(bytes: Uint8Array, blockSize: number): Float32Array {
  const view = viewOf(bytes), size = CODES + blockSize / 2
  return Float32Array.from({ length: bytes.length / size }, (_, i) => view.getFloat32(i * size, true))
}

/** Blocks of scales, one for each, and codes, two a byte. */
export function nf4Blocks(scales: Float32Array, codes: Uint8Array, blockSize: number): Uint8Array<ArrayBuffer> {
  const size = CODES + blockSize / 2
  const bytes = new Uint8Array(scales.length * size)
  setScales(bytes, scales, size)
  scales.forEach((_, i) => bytes.set(codes.subarray(i * blockSize / 2, (i + 1) * blockSize / 2), i * size + CODES))
  return bytes
}

function encodingOf(name: string, block: number, doubleQuantization: boolean): BlockEncoding {
  const blockBytes = CODES + block / 2
  return {
    name,
    block,
    blockBytes,
    costly: true,
    encode: (data, to) => encode(data, to, block, blockBytes),
    ...(doubleQuantization
      ? { settle: (bytes) => setScales(bytes, dequantizeScales(quantizeScales(nf4Scales(bytes, block))), blockBytes) }
      : {}),
    ...(block <= MOST_IN_PRODUCTS ? { products: productsInGroups(name, groupsOf(block, blockBytes)) } : {}),
    decode: {
      reference: (from, to) => decode(from, to, block, blockBytes),
      wasm: (module, address, first) => {
        const codes = v128.load16Splat(i32.add(address, i32.shrU(first, i32.const(1))), CODES)
        return f32x4.mul(lookUp(module, codes), f32x4.splat(f32.load(address)))
      },
      wgsl: (address, first, bytes) => {
        const codes = `(${bytes(`${address} + ${CODES}u + (${first} >> 1u)`)}`
        const table = `array<f32, 16>(${Array.from(NF4_VALUES, (value) => `${value}f`).join(", ")})`
        const values = [4, 0, 12, 8].map((place) => `${table}[${codes} >> ${place}u) & 15u]`)
        return `bitcast<f32>(${bytes(address)}) * vec4<f32>(${values.join(", ")})`
      },
    },
  }
}

/** Bytes 0 to 3 of the sixteen numbers, each as a table of bytes. */
const PLANES = [0, 1, 2, 3].map((byte) => {
  const bytes = Uint8Array.from({ length: 16 }, (_, code) => new Uint8Array(NF4_VALUES.buffer)[4 * code + byte])
  return [...new Int32Array(bytes.buffer)] as unknown as Parameters<Numbers["lanes"]>
})

/** Lanes of two vectors by turns, of so many bytes each, from lane `first` on. */
const byTurns = (a: Code, b: Code, size: number, first: number): Code =>
  i8x16.shuffle(
    a,
    b,
    Array.from({ length: 16 }, (_, i) => {
      const lane = first + Math.floor(i / (2 * size)), ofSecond = Math.floor(i / size) % 2
      return 16 * ofSecond + size * lane + i % size
    }),
  )

/** The numbers of sixteen codes, a byte each, four by four: looked up byte by byte, and put together. */
function numbersOf(numbers: Numbers, codes: Code, scope: FunctionScope): ReadonlyArray<Code> {
  const bytes = PLANES.map(() => scope.local("v128"))
  const [lower, upper] = [scope.local("v128"), scope.local("v128")]
  return [0, 8].flatMap((first): ReadonlyArray<Code> => [
    [
      first > 0 ? [] : bytes.map((byte, i) => set(byte, i8x16.swizzle(numbers.lanes(...PLANES[i]), codes))),
      set(lower, byTurns(get(bytes[0]), get(bytes[1]), 1, first)),
      set(upper, byTurns(get(bytes[2]), get(bytes[3]), 1, first)),
      byTurns(get(lower), get(upper), 2, 0),
    ],
    byTurns(get(lower), get(upper), 2, 4),
  ])
}

/** A block as groups of 32 with one scale. */
function groupsOf(block: number, blockBytes: number): Groups {
  return {
    block,
    blockBytes,
    count: block / 32,
    // The upper halves of 16 bytes are the first of each two neighbours.
    fours: [0, 1].flatMap((first) => [0, 8, 16, 24].map((start) => ({ first: start + first, step: 2 as const }))),
    narrow: true,
    words: ({ block, bytes, group }) => {
      const load = () => v128.load(block, bytes + CODES + 16 * group), low = i32x4.const(0x0f0f0f0f)
      return [v128.and(i32x4.shrU(load(), i32.const(4)), low), v128.and(load(), low)]
    },
    codes: (numbers, words, scope) => words.flatMap((word) => numbersOf(numbers, word, scope)),
    scales: (_, places) =>
      twoByTwo(places, (first, third) => {
        const scale = v128.load32Zero(first.block, first.bytes)
        return third === undefined ? scale : v128.load32Lane(2, third.block, scale, third.bytes)
      }),
  }
}

/** The numbers of the four codes in the first two bytes of a vector: the table's four parts, each asked for all. */
function lookUp(module: ModuleBuilder, codes: Code): Code {
  const all = (lanes: number) => module.pooled(v128.const(lanes, lanes, lanes, lanes))
  const find = module.once("nf4", () =>
    module.func("nf4", ["v128"], ["v128"], (_, places) => {
      // Of each code times four: of the first and third from the upper halves of the bytes, of the others from the lower.
      const spread = i8x16.shuffle(get(places), get(places), [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1])
      const upper = v128.and(i16x8.shrU(get(places), i32.const(2)), module.pooled(v128.const(FOURS, 0, FOURS, 0)))
      const lower = v128.and(i16x8.shl(get(places), i32.const(2)), module.pooled(v128.const(0, FOURS, 0, FOURS)))
      const parts = [0, 1, 2, 3].map((part) => {
        const [a, b, c, d] = new Int32Array(NF4_VALUES.buffer, 16 * part, 4)
        const within = part === 0 ? get(places) : i8x16.sub(get(places), all(0x01010101 * 16 * part))
        return i8x16.swizzle(module.pooled(v128.const(a, b, c, d)), within)
      })
      return [
        set(places, spread),
        set(places, v128.or(v128.or(upper, lower), all(0x03020100))),
        parts.reduce((sum, part) => v128.or(sum, part)),
      ]
    }))
  return call(find, codes)
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function setScales(bytes: Uint8Array, scales: Float32Array, blockBytes: number): void {
  const view = viewOf(bytes)
  scales.forEach((scale, i) => view.setFloat32(i * blockBytes, scale, true))
}

function encode(data: Float32Array, to: Uint8Array, block: number, blockBytes: number): void {
  const view = viewOf(to)
  for (let at = 0, first = 0; first < data.length; at += blockBytes, first += block) {
    let most = 0
    for (let i = 0; i < block; i++) most = Math.max(most, Math.abs(data[first + i]))
    view.setFloat32(at, most, true)
    // As bitsandbytes does it: times the reciprocal, each rounded to f32.
    const inverse = Math.fround(1 / Math.max(most, LEAST))
    for (let i = 0; i < block; i += 2) {
      to[at + CODES + i / 2] = codeOf(Math.fround(data[first + i] * inverse)) << 4 |
        codeOf(Math.fround(data[first + i + 1] * inverse))
    }
  }
}

/** Number of bounds below a number from -1 to 1. */
function codeOf(x: number): number {
  const code = CELLS[(x + 1) * 32 | 0]
  return x > BOUNDS[code] ? code + 1 : code
}

function decode(from: Uint8Array, to: Float32Array, block: number, blockBytes: number): void {
  const view = viewOf(from)
  for (let at = 0, first = 0; first < to.length; at += blockBytes, first += block) {
    const scale = view.getFloat32(at, true)
    for (let i = 0; i < block; i += 2) {
      const pair = from[at + CODES + i / 2]
      to[first + i] = NF4_VALUES[pair >> 4] * scale
      to[first + i + 1] = NF4_VALUES[pair & 15] * scale
    }
  }
}
