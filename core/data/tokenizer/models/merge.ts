import { Heap } from "./heap.ts"
import type { PairTable } from "./pair_table.ts"

/** The merges of a byte-pair encoding. */
export interface Merges {
  /** Ranks by pair of ids. */
  readonly ranks: PairTable
  /** What a merge makes, by rank. */
  readonly made: Int32Array
}

/** Merges pairs of ids: always the pair of the lowest rank, of equal ones the first. May change what it is given. */
export const merge = (symbols: Array<number>, merges: Merges): ReadonlyArray<number> =>
  symbols.length < SHORT ? mergeShort(symbols, merges) : mergeLong(symbols, merges)

/** Up to this many symbols, looking at all pairs is faster than a heap. */
const SHORT = 24

const mergeShort = (symbols: Array<number>, { ranks, made }: Merges): ReadonlyArray<number> => {
  let size = symbols.length
  if (size < 2) return symbols
  const pairs: Array<number> = []
  for (let at = 0; at + 1 < size; at++) pairs.push(ranks.get(symbols[at], symbols[at + 1]))
  while (true) {
    let best = -1
    for (let at = 0; at + 1 < size; at++) if (pairs[at] >= 0 && (best < 0 || pairs[at] < pairs[best])) best = at
    if (best < 0) break
    symbols[best] = made[pairs[best]]
    size--
    for (let at = best + 1; at < size; at++) symbols[at] = symbols[at + 1]
    for (let at = best; at + 1 < size; at++) pairs[at] = pairs[at + 1]
    if (best > 0) pairs[best - 1] = ranks.get(symbols[best - 1], symbols[best])
    if (best + 1 < size) pairs[best] = ranks.get(symbols[best], symbols[best + 1])
  }
  symbols.length = size
  return symbols
}

/** Positions that wait for the merge of one rank. Those that came are put in order when their turn begins. */
interface Run {
  readonly rank: number
  places: Array<number> | Int32Array
  /** Which of the positions is next; -1 before they are in order. */
  at: number
}

const isBefore = (a: Run, b: Run): boolean =>
  a.rank !== b.rank ? a.rank < b.rank : (a.at < 0 ? -1 : a.places[a.at]) < (b.at < 0 ? -1 : b.places[b.at])

/** What waits for its merge: the lowest rank first, within a rank the first position. */
class Queue {
  readonly #waiting = new Map<number, Array<number>>()
  readonly #runs = new Heap<Run>(isBefore)

  add(rank: number, place: number): void {
    const places = this.#waiting.get(rank)
    if (places !== undefined) return void places.push(place)
    const run = { rank, places: [place], at: -1 }
    this.#waiting.set(rank, run.places)
    this.#runs.push(run)
  }

  /** Hands over each rank with a position; what it adds meanwhile takes its turn. */
  drain(take: (rank: number, place: number) => void): void {
    for (let run = this.#runs.pop(); run !== undefined; run = this.#runs.pop()) {
      if (run.at < 0) {
        this.#waiting.delete(run.rank)
        run.places = Int32Array.from(run.places).sort()
        run.at = 0
      }
      while (run.at < run.places.length) {
        const top = this.#runs.top
        if (top !== undefined && isBefore(top, run)) {
          this.#runs.push(run)
          break
        }
        take(run.rank, run.places[run.at++])
      }
    }
  }
}

/** Time grows little faster than the number of symbols, so that a word of millions takes seconds. */
const mergeLong = (given: ReadonlyArray<number>, { ranks, made }: Merges): ReadonlyArray<number> => {
  const size = given.length
  const symbols = Int32Array.from(given)
  const next = Int32Array.from({ length: size }, (_, at) => at + 1)
  const previous = Int32Array.from({ length: size }, (_, at) => at - 1)
  const queue = new Queue()
  const offer = (at: number): void => {
    if (at < 0 || next[at] >= size) return
    const rank = ranks.get(symbols[at], symbols[next[at]])
    if (rank >= 0) queue.add(rank, at)
  }
  for (let at = 0; at < size; at++) offer(at)
  queue.drain((rank, at) => {
    // A neighbour's merge may have taken either part; what gives the same token counts, as in the reference.
    if (symbols[at] < 0 || next[at] >= size) return
    const right = next[at]
    const now = ranks.get(symbols[at], symbols[right])
    if (now < 0 || made[now] !== made[rank]) return
    symbols[at] = made[rank]
    symbols[right] = -1
    next[at] = next[right]
    if (next[at] < size) previous[next[at]] = at
    offer(previous[at])
    offer(at)
  })
  const merged: Array<number> = []
  for (let at = 0; at < size; at = next[at]) merged.push(symbols[at])
  return merged
}
