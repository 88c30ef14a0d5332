import type { Statistic } from "./statistic.ts"

/** Options of {@link psi}. */
export interface PsiOptions {
  /**
   * Number of bins, which have about as many rows of the reference each; or `"values"`: a bin for each value, for labels.
   * Default 10.
   */
  readonly bins?: number | "values"
}

/**
 * Population stability index of a column (Siddiqi 2006, Credit Risk Scorecards): sum over bins of (q - p) ln(q / p), with
 * the shares p of the reference and q of the window. A bin's share is (count + 0.5) / (rows + bins / 2), so that an empty
 * one is no division by zero. A value that the reference lacks has a bin of its own. Unit: nats.
 */
export function psi(column: string, { bins = 10 }: PsiOptions = {}): Statistic {
  return {
    name: `psi ${column}`,
    columns: [column],
    prepare: ({ columns: { [column]: reference } }) => {
      const binOf = bins === "values" ? valueBins(reference) : quantileBins(reference, bins)
      const own = Int32Array.from(reference, binOf.of)
      const all = countsOf(own, binOf.count)
      return {
        measure: ({ columns }) => stability(all, countsOf(Int32Array.from(columns[column], binOf.of), binOf.count)),
        split: (rows) => {
          const part = countsOf(rows.map((row) => own[row]), binOf.count)
          return stability(all.map((count, bin) => count - part[bin]), part)
        },
      }
    },
  }
}

/** Number of bins, and the bin of a value. */
interface Bins {
  readonly count: number
  readonly of: (value: number) => number
}

function valueBins(reference: Float64Array): Bins {
  const known = new Map([...new Set(reference)].sort((a, b) => a - b).map((value, bin) => [value, bin]))
  return { count: known.size + 1, of: (value) => known.get(value) ?? known.size }
}

/** Bins between quantiles of the reference; equal quantiles are one. A value on an edge is in the bin below it. */
function quantileBins(reference: Float64Array, bins: number): Bins {
  const sorted = Float64Array.from(reference).sort()
  const edges = Array.from({ length: bins - 1 }, (_, i) => sorted[Math.ceil((i + 1) / bins * sorted.length) - 1])
  const distinct = [...new Set(edges)]
  return {
    count: distinct.length + 1,
    of: (value) => {
      const bin = distinct.findIndex((edge) => value <= edge)
      return bin < 0 ? distinct.length : bin
    },
  }
}

function countsOf(bins: Int32Array, count: number): Float64Array {
  const counts = new Float64Array(count)
  for (const bin of bins) counts[bin]++
  return counts
}

/** The index of two lists of counts. */
function stability(reference: Float64Array, window: Float64Array): number {
  const total = (counts: Float64Array) => counts.reduce((a, b) => a + b, 0) + counts.length / 2
  const [n, m] = [total(reference), total(window)]
  return reference.reduce((sum, count, bin) => {
    const [p, q] = [(count + 0.5) / n, (window[bin] + 0.5) / m]
    return sum + (q - p) * Math.log(q / p)
  }, 0)
}
