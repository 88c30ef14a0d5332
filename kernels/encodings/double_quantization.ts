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

/**
 * Codes by place: bitsandbytes on a CPU looks a number x up at (x + 1) 32767.5, rounded, where the code that is nearest to the
 * place's own number stands; of two that are as near, the lower.
 */
const codeAt = (() => {
  let codes: Uint8Array | undefined
  return (): Uint8Array => {
    if (codes !== undefined) return codes
    codes = new Uint8Array(65536)
    for (let place = 0, code = 0; place < codes.length; place++) {
      const number = place / 32767.5 - 1
      while (code < 255 && number > (DYNAMIC_MAP[code] + DYNAMIC_MAP[code + 1]) / 2) code++
      codes[place] = code
    }
    return codes
  }
})()

/** Quantizes scales as bitsandbytes 0.50 does it on a CPU, byte for byte; its offset also rests on {@link meanOf}. */
export function quantizeScales(all: Float32Array): DoubleQuantized {
  const offset = meanOf(all)
  const codes = new Uint8Array(all.length)
  const scales = new Float32Array(Math.ceil(all.length / SCALES_PER_BLOCK))
  for (let block = 0; block < scales.length; block++) {
    const rests = all.subarray(block * SCALES_PER_BLOCK, (block + 1) * SCALES_PER_BLOCK).map((scale) => scale - offset)
    scales[block] = rests.reduce((most, rest) => Math.max(most, Math.abs(rest)), 0)
    const inverse = scales[block] === 0 ? 0 : Math.fround(1 / scales[block])
    rests.forEach((rest, i) => {
      const from = Math.fround(Math.fround(rest * inverse) + 1)
      codes[block * SCALES_PER_BLOCK + i] = codeAt()[Math.floor(Math.fround(from * 32767.5) + 0.5)]
    })
  }
  return { codes, scales, offset }
}

/**
 * The mean in f32, summed in the order of torch on one thread with vectors of eight (AVX2): 32 sums side by side, each in
 * levels. Other machines and several threads sum in another order, by which the last bit may differ.
 */
export function meanOf(values: Float32Array): number {
  const columns = 32, rows = Math.floor(values.length / columns), vectors = Math.floor(values.length / 8)
  const sums = columnSums(values, rows, columns)
  const eight = sums.slice(0, 8)
  const add = (first: number, from: Float32Array) => eight.forEach((_, i) => eight[i] += from[first + i])
  for (let vector = 4 * rows; vector < vectors; vector++) add(8 * vector, values)
  for (let part = 8; part < columns; part += 8) add(part, sums)
  let sum = 0
  for (let i = 8 * vectors; i < values.length; i++) sum = Math.fround(sum + values[i])
  for (const one of eight) sum = Math.fround(sum + one)
  return Math.fround(sum / values.length)
}

/** Sums of columns in four levels, so that few large sums take small numbers. */
function columnSums(values: Float32Array, rows: number, columns: number): Float32Array {
  const power = Math.max(4, Math.floor(Math.ceil(Math.log2(Math.max(1, rows))) / 4)), step = 1 << power
  const levels = Array.from({ length: 4 }, () => new Float32Array(columns))
  const put = (row: number) => levels[0].forEach((_, i) => levels[0][i] += values[row * columns + i])
  let row = 0
  while (row + step <= rows) {
    for (const end = row + step; row < end; row++) put(row)
    for (let level = 1; level < 4; level++) {
      levels[level].forEach((_, i) => levels[level][i] += levels[level - 1][i])
      levels[level - 1].fill(0)
      if ((row & (step - 1) << level * power) !== 0) break
    }
  }
  for (; row < rows; row++) put(row)
  for (const level of levels.slice(1)) level.forEach((value, i) => levels[0][i] += value)
  return levels[0]
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
