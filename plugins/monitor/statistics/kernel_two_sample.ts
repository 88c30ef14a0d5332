import { EMBEDDING, type Embeddings } from "../profile/sample.ts"
import type { Statistic } from "./statistic.ts"

/**
 * Kernel two-sample statistic of embeddings: the unbiased estimate of the squared maximum mean discrepancy (Gretton et al.
 * 2012, A Kernel Two-Sample Test, equation 3), with the kernel exp(-|x - y|^2 / m), where m is the median of the squared
 * distances in the reference, as in their code. About 0 for equal distributions, and below it by chance.
 */
export function mmd(): Statistic {
  return {
    name: `mmd ${EMBEDDING}`,
    columns: [EMBEDDING],
    prepare: ({ rows, embeddings }) => {
      const reference = embeddings!
      const distances = squaredDistances(reference, reference)
      const scale = medianDistance(distances, rows)
      const kernel = kernelOf(distances, scale)
      const sums = Float64Array.from({ length: rows }, (_, i) => sum(kernel.subarray(i * rows, (i + 1) * rows)))
      const total = sum(sums)
      return {
        measure: ({ rows: count, embeddings: own }) => {
          const within = sum(kernelOf(squaredDistances(own!, own!), scale))
          const across = sum(kernelOf(squaredDistances(own!, reference), scale))
          return discrepancy({ within: total, count: rows }, { within, count }, across)
        },
        split: (chosen) => {
          let [within, all] = [0, 0]
          for (const i of chosen) {
            all += sums[i]
            for (const j of chosen) within += kernel[i * rows + j]
          }
          const others = { within: total - 2 * all + within, count: rows - chosen.length }
          return discrepancy(others, { within, count: chosen.length }, all - within)
        },
      }
    },
  }
}

/** Sum of the kernel over all pairs of a sample, each row with itself included. */
interface Within {
  readonly within: number
  readonly count: number
}

/** The kernel of a row with itself is 1. */
const mean = ({ within, count }: Within) => (within - count) / (count * (count - 1))

const discrepancy = (a: Within, b: Within, across: number): number =>
  mean(a) + mean(b) - 2 * across / (a.count * b.count)

function sum(values: Float64Array): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** The kernel in the place of squared distances. */
function kernelOf(distances: Float64Array, scale: number): Float64Array {
  for (let i = 0; i < distances.length; i++) distances[i] = Math.exp(-distances[i] / scale)
  return distances
}

/** Squared distances of all rows of one to all rows of the other, [rows of a, rows of b]. */
function squaredDistances(a: Embeddings, b: Embeddings): Float64Array {
  const { width } = a
  const [n, m] = [a.values.length / width, b.values.length / width]
  const distances = new Float64Array(n * m)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      let squared = 0
      for (let k = 0; k < width; k++) {
        const difference = a.values[i * width + k] - b.values[j * width + k]
        squared += difference * difference
      }
      distances[i * m + j] = squared
    }
  }
  return distances
}

/** Median over pairs of different rows; 1 where all rows are the same. */
function medianDistance(distances: Float64Array, rows: number): number {
  const pairs = new Float64Array(rows * (rows - 1) / 2)
  let at = 0
  for (let i = 0; i < rows; i++) for (let j = 0; j < i; j++) pairs[at++] = distances[i * rows + j]
  pairs.sort()
  const middle = pairs.length / 2
  const median = (pairs[Math.ceil(middle) - 1] + pairs[Math.floor(middle)]) / 2
  return median > 0 ? median : 1
}
