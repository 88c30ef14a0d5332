/**
 * Places temporaries in one arena; temporaries with disjoint lifetimes can share bytes.
 *
 * Greedy by size: the largest first, each into the tightest gap between live neighbours (Pisarchyk and Lee,
 * "Efficient memory management for deep neural net inference", 2020, algorithm 3).
 * @module
 */

/** A block of memory and its lifetime. */
export interface Lifetime {
  /** Bytes. */
  readonly bytes: number
  /** Number of the first call that writes it. */
  readonly first: number
  /** Number of the last call that reads it; at least `first`. */
  readonly last: number
}

/** Offsets of the blocks in the arena. */
export interface MemoryPlan {
  /** First byte of each block, in the order given. */
  readonly offsets: ReadonlyArray<number>
  /** Size of the arena in bytes. */
  readonly bytes: number
}

/**
 * Plans an arena.
 *
 * @param blocks Blocks to place.
 * @param alignment Alignment of every offset, in bytes.
 */
export const planMemory = (blocks: ReadonlyArray<Lifetime>, alignment: number): MemoryPlan => {
  const padded = (bytes: number) => Math.ceil(bytes / alignment) * alignment
  const sizes = blocks.map(({ bytes }) => padded(bytes))
  const order = blocks.map((_, i) => i).sort((a, b) => blocks[b].bytes - blocks[a].bytes || a - b)
  const offsets = new Array<number>(blocks.length).fill(0)
  // Placed blocks by offset, in flat arrays because every block scans them.
  const starts = new Float64Array(blocks.length), ends = new Float64Array(blocks.length)
  const firsts = new Int32Array(blocks.length), lasts = new Int32Array(blocks.length)
  let count = 0, total = 0
  for (const i of order) {
    const { first, last } = blocks[i]
    const size = sizes[i]
    if (size === 0) continue
    let end = 0, best = -1, bestGap = Infinity
    for (let j = 0; j < count; j++) {
      if (lasts[j] < first || firsts[j] > last) continue
      const gap = starts[j] - end
      if (gap >= size && gap < bestGap) {
        best = end
        bestGap = gap
      }
      if (ends[j] > end) end = ends[j]
    }
    const offset = best < 0 ? end : best
    offsets[i] = offset
    total = Math.max(total, offset + size)
    let low = 0, high = count
    while (low < high) {
      const middle = (low + high) >> 1
      if (starts[middle] <= offset) low = middle + 1
      else high = middle
    }
    for (const values of [starts, ends, firsts, lasts]) values.copyWithin(low + 1, low, count)
    starts[low] = offset
    ends[low] = offset + size
    firsts[low] = first
    lasts[low] = last
    count++
  }
  return { offsets, bytes: total }
}

/** Blocks of an arena while their uses are found. */
export class Arena {
  readonly #blocks: Array<{ readonly bytes: number; first: number; last: number }> = []

  /** A new block; gives its number. */
  add(bytes: number): number {
    return this.#blocks.push({ bytes, first: Infinity, last: -Infinity }) - 1
  }

  /** Size of a block. */
  bytesOf(block: number): number {
    return this.#blocks[block].bytes
  }

  /** Extends a block's lifetime to a call. */
  use(block: number, call: number): void {
    const lifetime = this.#blocks[block]
    lifetime.first = Math.min(lifetime.first, call)
    lifetime.last = Math.max(lifetime.last, call)
  }

  /** Offsets of all blocks. Blocks without a use take no bytes. */
  plan(alignment: number): MemoryPlan {
    return planMemory(this.#blocks.map((block) => block.first === Infinity ? UNUSED : block), alignment)
  }
}
const UNUSED: Lifetime = { bytes: 0, first: 0, last: 0 }
