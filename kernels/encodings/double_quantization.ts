/**
 * Double quantization (Dettmers et al. 2023, arXiv 2305.14314, section 3): the scales of a tensor's blocks, less their mean, in 8 bits.
 * @module
 */

/** Scales in 8 bits. */
export interface DoubleQuantized {
  /** Place of each scale in {@link DYNAMIC_MAP}. */
  readonly codes: Uint8Array
  /** Greatest distance from the offset in each {@link SCALES_PER_BLOCK} scales. */
  readonly scales: Float32Array
  /** Mean of the scales. */
  readonly offset: number
}

/** Scales that share a scale of their own. */
export const SCALES_PER_BLOCK = 256

/** The signed dynamic map of 8 bits (Dettmers 2015, arXiv 1511.04561): 256 numbers from -0.993 to 1, denser near 0. */
export const DYNAMIC_MAP: Float32Array = dynamicMap()

const BOUNDS = Float32Array.from({ length: 255 }, (_, i) => (DYNAMIC_MAP[i] + DYNAMIC_MAP[i + 1]) / 2)

function dynamicMap(): Float32Array {
  const numbers = [0, 1]
  for (let exponent = 0; exponent < 7; exponent++) {
    const parts = 2 ** exponent
    const edges = linspace(parts + 1)
    for (let i = 0; i < parts; i++) {
      const number = Math.fround(Math.fround((edges[i] + edges[i + 1]) / 2) * Math.fround(10 ** (exponent - 6)))
      numbers.push(number, -number)
    }
  }
  return Float32Array.from(numbers).sort()
}

/** torch.linspace(0.1, 1, count) in f32: from both ends to the middle, each rounded once. */
function linspace(count: number): Float32Array {
  const [first, last] = [Math.fround(0.1), 1]
  const step = Math.fround(Math.fround(last - first) / (count - 1))
  return Float32Array.from(
    { length: count },
    (_, i) => i < Math.floor(count / 2) ? first + step * i : last - step * (count - 1 - i),
  )
}

/** Quantizes scales; of two numbers of the map that are as near the lower is taken. */
export function quantizeScales(all: Float32Array): DoubleQuantized {
  const offset = Math.fround(all.reduce((sum, scale) => sum + scale, 0) / all.length)
  const codes = new Uint8Array(all.length)
  const scales = new Float32Array(Math.ceil(all.length / SCALES_PER_BLOCK))
  for (let block = 0; block < scales.length; block++) {
    const rests = all.subarray(block * SCALES_PER_BLOCK, (block + 1) * SCALES_PER_BLOCK).map((scale) => scale - offset)
    scales[block] = rests.reduce((most, rest) => Math.max(most, Math.abs(rest)), 0)
    const inverse = scales[block] === 0 ? 0 : Math.fround(1 / scales[block])
    rests.forEach((rest, i) => codes[block * SCALES_PER_BLOCK + i] = placeIn(BOUNDS, Math.fround(rest * inverse)))
  }
  return { codes, scales, offset }
}

/** How scales were quantized, where not as {@link quantizeScales} does it. */
export interface DequantizeOptions {
  /** The numbers of the codes. Default {@link DYNAMIC_MAP}. */
  readonly map?: Float32Array
  /** Scales that share one. Default {@link SCALES_PER_BLOCK}. */
  readonly blocksize?: number
  /** Number of the first of `codes`. Default 0. */
  readonly first?: number
}

/** Scales as their codes give them. */
export function dequantizeScales(
  { codes, scales, offset }: DoubleQuantized,
  { map = DYNAMIC_MAP, blocksize = SCALES_PER_BLOCK, first = 0 }: DequantizeOptions = {},
): Float32Array {
  return Float32Array.from(
    codes,
    (code, i) => Math.fround(map[code] * scales[Math.floor((first + i) / blocksize)]) + offset,
  )
}

/** Number of bounds below a value, by halving. */
export function placeIn(bounds: Float32Array, value: number): number {
  let [low, high] = [0, bounds.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (bounds[middle] < value) low = middle + 1
    else high = middle
  }
  return low
}
