import { threefry2x32 } from "./threefry.ts"

/** A stream of random numbers that is a pure function of its seed and stream numbers, the same on every machine. */
export interface Rng {
  /** Next number in [0, 1), 53 bits. */
  readonly float: () => number
  /** Next integer in [0, n). */
  readonly int: (n: number) => number
  /** Next standard normal number (Box-Muller). */
  readonly normal: () => number
  /** A shuffled copy (Fisher-Yates). */
  readonly shuffle: <A>(items: Iterable<A>) => Array<A>
}

/**
 * A stream for a seed (an integer of up to 53 bits). Streams of different numbers are independent: pass what the
 * stream is for, and the epoch.
 */
export const makeRng = (seed: number, stream = 0, substream = 0): Rng => {
  if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`seed must be a whole number from 0, got ${seed}`)
  const [key0, key1] = threefry2x32(seed >>> 0, Math.floor(seed / 2 ** 32), stream, substream)
  let counter = 0
  const float = () => {
    const [high, low] = threefry2x32(key0, key1, counter >>> 0, Math.floor(counter / 2 ** 32))
    counter++
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) * 2 ** -53
  }
  const int = (n: number) => Math.floor(float() * n)
  const normal = () => Math.sqrt(-2 * Math.log(1 - float())) * Math.cos(2 * Math.PI * float())
  const shuffle = <A>(items: Iterable<A>) => {
    const shuffled = [...items]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = int(i + 1)
      const item = shuffled[i]
      shuffled[i] = shuffled[j]
      shuffled[j] = item
    }
    return shuffled
  }
  return { float, int, normal, shuffle }
}
