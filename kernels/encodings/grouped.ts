/**
 * Group-wise asymmetric quantization: each group of neighbours along a row has its own range, cut into 2^bits - 1 equal steps.
 * @module
 */
import type { AffineEncoding } from "../encoding.ts"
import { productsInGroups } from "../matmul/wasm/groups/products.ts"
import type { Groups } from "../matmul/wasm/groups/groups.ts"
import { byteFactor, codesOfBytes, foursOfBytes, signedBytes, twoByTwo, upperHalves } from "./parts/vectors.ts"
import { type Code, f32, f32x4, get, i32, i32x4, type ModuleBuilder, set, v128 } from "../wasm/assembler.ts"
import { joinable } from "../wasm/wide.ts"

/** What distinguishes group-wise encodings. */
export interface GroupedOptions {
  /** Bits of a code. */
  readonly bits: 2 | 3 | 4 | 8
  /** Elements that share scale and offset: a multiple of 8. */
  readonly groupSize: number
}

/** Bits of a code that {@link grouped} takes. */
export const GROUP_BITS: ReadonlyArray<GroupedOptions["bits"]> = [2, 3, 4, 8]

/** Bytes of scale and offset, which come first. */
const CODES = 8

const made = new Map<string, AffineEncoding>()

/**
 * The encoding of groups: a number is scale * q + offset, with offset the least number of the group, scale (greatest -
 * least) / (2^bits - 1), and q from 0 to 2^bits - 1, rounded to the nearest (halves up). A block is scale and offset as
 * f32, then the codes, the first in the lowest bits. The same options give the same value. Throws RangeError on others than
 * {@link GroupedOptions}.
 */
export function grouped({ bits, groupSize }: GroupedOptions): AffineEncoding {
  if (!GROUP_BITS.includes(bits)) throw new RangeError(`bits must be 2, 3, 4 or 8, got ${bits}`)
  if (!Number.isSafeInteger(groupSize) || groupSize <= 0 || groupSize % 8 !== 0) {
    throw new RangeError(`groupSize must be a multiple of 8, got ${groupSize}`)
  }
  const name = `grouped_${bits}_${groupSize}`
  const known = made.get(name)
  if (known !== undefined) return known
  const encoding = encodingOf(name, bits, groupSize)
  made.set(name, encoding)
  return encoding
}

function encodingOf(name: string, bits: number, block: number): AffineEncoding {
  const blockBytes = CODES + bits * block / 8
  return {
    name,
    block,
    blockBytes,
    costly: true,
    encode: (data, to) => encode(data, to, bits, block, blockBytes),
    ...productsOf(name, bits, block, blockBytes),
    affine: {
      offsets: (bytes) => {
        const view = viewOf(bytes)
        return Float32Array.from(
          { length: bytes.length / blockBytes },
          (_, i) => view.getFloat32(i * blockBytes + 4, true),
        )
      },
      addOffsets: (bytes, deltas) => {
        const view = viewOf(bytes)
        deltas.forEach((delta, i) => {
          const at = i * blockBytes + 4
          view.setFloat32(at, view.getFloat32(at, true) + delta, true)
        })
      },
    },
    decode: {
      reference: (from, to) => decode(from, to, bits, block, blockBytes),
      wasm: (module, address, first) => {
        const scale = f32x4.splat(f32.load(address)), offset = f32x4.splat(f32.load(address, 4))
        return f32x4.add(f32x4.mul(codes(module, address, first, bits), scale), offset)
      },
      wgsl: (address, first, bytes) => {
        const word = bytes(`${address} + ${CODES}u + (${first} * ${bits}u >> 3u)`)
        // Fours of three bits begin within a byte.
        const from = bits === 3 ? `(${word} >> (${first} & 4u))` : word
        const places = [0, 1, 2, 3].map((lane) => `${bits * lane}u`).join(", ")
        const codes = `vec4<f32>(vec4<u32>(${from}) >> vec4<u32>(${places}) & vec4<u32>(${2 ** bits - 1}u))`
        return `bitcast<f32>(${bytes(address)}) * ${codes} + bitcast<f32>(${bytes(`${address} + 4u`)})`
      },
    },
  }
}

/** Largest group that products read whole. */
const MOST_IN_PRODUCTS = 256

/** Products that read whole blocks: of four and eight bits. */
function productsOf(name: string, bits: number, block: number, blockBytes: number): Pick<AffineEncoding, "products"> {
  const codes = CODES_BY_BITS[bits]
  if (codes === undefined || block % 32 !== 0 || block > MOST_IN_PRODUCTS) return {}
  const vectors = bits / 4
  const products = productsInGroups(name, {
    block,
    blockBytes,
    count: block / 32,
    ...codes,
    sign: 1,
    words: ({ block, bytes, group }) =>
      Array.from({ length: vectors }, (_, i) => v128.load(block, bytes + CODES + 16 * (vectors * group + i))),
    scales: (_, places, scope) => {
      const [low, high] = [scope.local("v128"), scope.local("v128")]
      const [even, odd] = twoByTwo(places, (first, third) => {
        const pair = v128.load64Zero(first.block, first.bytes)
        return third === undefined ? pair : v128.load64Lane(1, third.block, pair, third.bytes)
      })
      return [[set(low, even), set(high, odd), joinable(low), joinable(high), get(low)], get(high)]
    },
  })
  return { products }
}

/** Fours of 32 codes, by their bits. */
const CODES_BY_BITS: Readonly<Record<number, Pick<Groups, "fours" | "codes" | "bias"> | undefined>> = {
  4: {
    fours: [0, 1].flatMap((half) =>
      [0, 1, 2, 3].map((byte) => ({ first: 2 * byte + half, step: 8 as const, factor: byteFactor(byte) }))
    ),
    codes: (numbers, [word]) => codesOfBytes(numbers, [word, upperHalves(word)], 15),
  },
  8: {
    fours: foursOfBytes(2, () => 2 ** -24),
    // As signed bytes, less 128.
    codes: (numbers, words) =>
      words.flatMap((word) => signedBytes(numbers, v128.xor(word, numbers.whole(0x80808080 | 0)))),
    bias: 128,
  },
}

/** Four codes of a block as f32. */
function codes(module: ModuleBuilder, address: Code, first: Code, bits: number): Code {
  const place = i32.add(address, i32.shrU(i32.mul(first, i32.const(bits)), i32.const(3)))
  if (bits === 8) return f32x4.convertS(i32x4.fromBytesU(v128.load32Zero(place, CODES)))
  const word = bits === 2 ? i32.load8U(place, CODES) : i32.load16U(place, CODES)
  const from = bits === 3 ? i32.shrU(word, i32.and(first, i32.const(4))) : word
  // Each lane keeps its own bits where they are; a power of two then takes them down, exactly.
  const mask = 2 ** bits - 1
  const masks = v128.const(mask, mask << bits, mask << 2 * bits, mask << 3 * bits)
  const powers = new Int32Array(Float32Array.from({ length: 4 }, (_, lane) => 2 ** (-bits * lane)).buffer)
  const own = v128.and(i32x4.splat(from), module.pooled(masks))
  return f32x4.mul(f32x4.convertS(own), module.pooled(v128.const(powers[0], powers[1], powers[2], powers[3])))
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function encode(data: Float32Array, to: Uint8Array, bits: number, block: number, blockBytes: number): void {
  const view = viewOf(to)
  const most = 2 ** bits - 1
  for (let group = 0; group < data.length / block; group++) {
    const first = group * block, at = group * blockBytes
    let [least, greatest] = [Infinity, -Infinity]
    for (let i = 0; i < block; i++) {
      least = Math.min(least, data[first + i])
      greatest = Math.max(greatest, data[first + i])
    }
    const scale = Math.fround((greatest - least) / most)
    const inverse = scale === 0 ? 0 : 1 / scale
    view.setFloat32(at, scale, true)
    view.setFloat32(at + 4, least, true)
    to.fill(0, at + CODES, at + blockBytes)
    for (let i = 0; i < block; i++) {
      const q = Math.min(most, Math.floor((data[first + i] - least) * inverse + 0.5))
      const byte = at + CODES + (bits * i >> 3), placed = q << (bits * i & 7)
      to[byte] |= placed
      // Of three bits some lie in two bytes.
      if (placed > 255) to[byte + 1] |= placed >> 8
    }
  }
}

function decode(from: Uint8Array, to: Float32Array, bits: number, block: number, blockBytes: number): void {
  const view = viewOf(from)
  const mask = 2 ** bits - 1
  for (let group = 0; group < to.length / block; group++) {
    const at = group * blockBytes
    const [scale, offset] = [view.getFloat32(at, true), view.getFloat32(at + 4, true)]
    for (let i = 0; i < block; i++) {
      const byte = at + CODES + (bits * i >> 3), shift = bits * i & 7
      const word = shift + bits > 8 ? from[byte] | from[byte + 1] << 8 : from[byte]
      to[group * block + i] = Math.fround(scale * (word >> shift & mask)) + offset
    }
  }
}
