import { flagsOf, type Statistic } from "./statistic.ts"

/**
 * Kolmogorov-Smirnov distance of a column (Smirnov 1948): the largest difference of the two empirical distribution
 * functions, 0 to 1. It is scipy's `ks_2samp(...).statistic`. Where the reference has one value alone, the threshold is that of
 * the asymptotic distribution, which holds for any column.
 */
export function ks(column: string): Statistic {
  return {
    name: `ks ${column}`,
    columns: [column],
    prepare: ({ columns: { [column]: reference } }) => {
      const order = Int32Array.from(reference.keys()).sort((a, b) => reference[a] - reference[b])
      const sorted = Float64Array.from(order, (row) => reference[row])
      return {
        measure: ({ columns }) => distance(sorted, Float64Array.from(columns[column]).sort()),
        split: (rows) => splitDistance(sorted, order, flagsOf(rows, reference.length), rows.length),
        bound: (level, window) => Math.sqrt(Math.log(2 / level) / 2 * (1 / window + 1 / reference.length)),
      }
    },
  }
}

/** Of two sorted lists. */
function distance(a: Float64Array, b: Float64Array): number {
  let [i, j, most] = [0, 0, 0]
  while (i < a.length && j < b.length) {
    const value = Math.min(a[i], b[j])
    while (a[i] === value) i++
    while (b[j] === value) j++
    most = Math.max(most, Math.abs(i / a.length - j / b.length))
  }
  return most
}

/** Of the flagged rows of one list and the others. */
function splitDistance(sorted: Float64Array, order: Int32Array, flags: Uint8Array, size: number): number {
  const others = sorted.length - size
  let [inside, most] = [0, 0]
  for (let i = 0; i < sorted.length; i++) {
    inside += flags[order[i]]
    if (sorted[i + 1] === sorted[i]) continue
    most = Math.max(most, Math.abs(inside / size - (i + 1 - inside) / others))
  }
  return most
}
