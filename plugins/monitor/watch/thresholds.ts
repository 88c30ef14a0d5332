import { makeRng, type Rng } from "../../../core/tensor/operations/random.ts"
import type { Prepared } from "../statistics/statistic.ts"

/** What thresholds are made from. */
export interface Resampling {
  /** Rows of the reference. */
  readonly rows: number
  /** Rows of a window. */
  readonly window: number
  /** Share of windows without drift in which at least one statistic may be above its threshold. */
  readonly falseAlarms: number
  /** Number of random windows. */
  readonly resamples: number
  /** Seed of the windows. */
  readonly seed: number
}

/**
 * Thresholds of several statistics, corrected for their number: random windows are drawn from the reference without
 * replacement, each is compared with the rows that are left, and all statistics get the same share of values above their
 * threshold, the largest with which at most `falseAlarms` of the windows are above any (the step of Westfall and Young 1993
 * that takes the least p-value: statistics that move together cost less than Bonferroni's correction).
 */
export function thresholdsOf(
  prepared: ReadonlyArray<Prepared>,
  { rows, window, falseAlarms, resamples, seed }: Resampling,
): ReadonlyArray<number> {
  const rng = makeRng(seed)
  const order = Int32Array.from({ length: rows }, (_, row) => row)
  const values = prepared.map(() => new Float64Array(resamples))
  for (let i = 0; i < resamples; i++) {
    const chosen = drawn(order, window, rng)
    prepared.forEach(({ split }, s) => values[s][i] = split(chosen))
  }
  const above = levelOf(values, Math.floor(falseAlarms * resamples))
  return values.map((own, s) => {
    const sorted = Float64Array.from(own).sort()
    const spread = sorted[resamples - 1] > sorted[0]
    const { bound } = prepared[s]
    if (!spread) return bound?.(falseAlarms / prepared.length, window) ?? Infinity
    return sorted[resamples - 1 - above]
  })
}

/** The first rows of an order, which is shuffled as far as they go. */
function drawn(order: Int32Array, count: number, { int }: Rng): Int32Array {
  for (let i = 0; i < count; i++) {
    const j = i + int(order.length - i)
    const row = order[i]
    order[i] = order[j]
    order[j] = row
  }
  return order.slice(0, count)
}

/** The largest number of values that each statistic may have above its threshold, so that at most `most` windows have any. */
function levelOf(values: ReadonlyArray<Float64Array>, most: number): number {
  const least = new Float64Array(values[0].length).fill(Infinity)
  for (const own of values) ranksOf(own).forEach((rank, i) => least[i] = Math.min(least[i], rank))
  // A window is above a threshold with `level` values above it where its rank, which counts equals, is at most `level`.
  return Math.max(0, least.sort()[most] - 1)
}

/** Of each value, how many are as large, itself included. */
function ranksOf(values: Float64Array): Float64Array {
  const sorted = Float64Array.from(values).sort()
  const firsts = new Map<number, number>()
  sorted.forEach((value, i) => firsts.has(value) || firsts.set(value, i))
  return values.map((value) => sorted.length - firsts.get(value)!)
}
