import { momentsOf } from "../profile/moments.ts"
import { EMBEDDING, type Embeddings } from "../profile/sample.ts"
import { flagsOf, type Statistic } from "./statistic.ts"

/**
 * Shift of the mean of embeddings: n m / (n + m) times the sum over their numbers of the squared difference of the two means, each
 * divided by its variance in the reference: Hotelling's T^2 (1931) without covariances. A profile has too few rows for these:
 * distances by an estimated covariance are smaller for the rows that it was estimated from than for others.
 */
export function meanShift(): Statistic {
  return {
    name: `mean ${EMBEDDING}`,
    columns: [EMBEDDING],
    prepare: ({ rows, embeddings }) => {
      const reference = embeddings!
      const variances = variancesOf(reference)
      const total = meanOf(reference, new Uint8Array(rows).fill(1), rows)
      return {
        measure: ({ rows: count, embeddings: window }) => {
          const mean = meanOf(window!, new Uint8Array(count).fill(1), count)
          return shift(total, mean, variances, rows, count)
        },
        split: (chosen) => {
          const [count, others] = [chosen.length, rows - chosen.length]
          const part = meanOf(reference, flagsOf(chosen, rows), count)
          const rest = total.map((value, i) => (rows * value - count * part[i]) / others)
          return shift(rest, part, variances, others, count)
        },
      }
    },
  }
}

const shift = (a: Float64Array, b: Float64Array, variances: Float64Array, n: number, m: number): number =>
  n * m / (n + m) * a.reduce((sum, value, i) => sum + (value - b[i]) ** 2 / variances[i], 0)

/** Variances of the numbers of an embedding; 1 for one that is always the same. */
function variancesOf(embeddings: Embeddings): Float64Array {
  const { covariance } = embeddings.moments ?? momentsOf(embeddings)
  const { width } = embeddings
  return Float64Array.from({ length: width }, (_, i) => covariance[i * (width + 1)] || 1)
}

/** Mean of the rows that have a flag, `count` of them. */
function meanOf({ width, values }: Embeddings, flags: Uint8Array, count: number): Float64Array {
  const mean = new Float64Array(width)
  for (let row = 0; row < flags.length; row++) {
    if (flags[row] === 0) continue
    for (let i = 0; i < width; i++) mean[i] += values[row * width + i] / count
  }
  return mean
}
