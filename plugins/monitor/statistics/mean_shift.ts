import { momentsOf } from "../profile/moments.ts"
import { EMBEDDING, type Embeddings } from "../profile/sample.ts"
import { flagsOf, type Statistic } from "./statistic.ts"

/** Share of the covariance that is replaced by its mean variance on the diagonal, so that it can be inverted. */
const SHRINKAGE = 0.1

/**
 * Shift of the mean of embeddings (Hotelling 1931): n m / (n + m) times the squared Mahalanobis distance of the two means.
 * The covariance is the reference's, shrunk by a tenth towards its mean variance (Ledoit and Wolf 2004), since a profile
 * may have fewer rows than an embedding has numbers.
 */
export function meanShift(): Statistic {
  return {
    name: `mean ${EMBEDDING}`,
    columns: [EMBEDDING],
    prepare: ({ rows, embeddings }) => {
      const reference = embeddings!
      const whiten = whitening(reference)
      const own = whiten(reference.values)
      const total = meanOf(own, reference.width, new Uint8Array(rows).fill(1))
      return {
        measure: ({ rows: count, embeddings: window }) => {
          const white = whiten(window!.values)
          return shift(total, meanOf(white, reference.width, new Uint8Array(count).fill(1)), rows, count)
        },
        split: (chosen) => {
          const part = meanOf(own, reference.width, flagsOf(chosen, rows), chosen.length)
          const others = rows - chosen.length
          const rest = total.map((value, i) => (rows * value - chosen.length * part[i]) / others)
          return shift(rest, part, others, chosen.length)
        },
      }
    },
  }
}

const shift = (a: Float64Array, b: Float64Array, n: number, m: number): number =>
  n * m / (n + m) * a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0)

function meanOf(values: Float64Array, width: number, flags: Uint8Array, count = flags.length): Float64Array {
  const mean = new Float64Array(width)
  for (let row = 0; row < flags.length; row++) {
    if (flags[row] === 0) continue
    for (let i = 0; i < width; i++) mean[i] += values[row * width + i] / count
  }
  return mean
}

/** A function that solves L y = x for each row x, with L L^T the shrunk covariance: distances of results are Mahalanobis's. */
function whitening(embeddings: Embeddings): (rows: Float32Array) => Float64Array {
  const { width } = embeddings
  const { covariance } = embeddings.moments ?? momentsOf(embeddings)
  const factor = cholesky(shrunk(covariance, width), width)
  return (values) => {
    const solved = new Float64Array(values.length)
    for (let at = 0; at < values.length; at += width) {
      for (let i = 0; i < width; i++) {
        let rest = values[at + i]
        for (let j = 0; j < i; j++) rest -= factor[i * width + j] * solved[at + j]
        solved[at + i] = rest / factor[i * width + i]
      }
    }
    return solved
  }
}

function shrunk(covariance: Float32Array, width: number): Float64Array {
  let trace = 0
  for (let i = 0; i < width; i++) trace += covariance[i * width + i]
  // Equal rows have no variance at all.
  const variance = trace > 0 ? trace / width : 1
  return Float64Array.from(
    covariance,
    (value, i) => (1 - SHRINKAGE) * value + (i % (width + 1) === 0 ? SHRINKAGE * variance : 0),
  )
}

/** The lower triangular L with L L^T = matrix [width, width]. */
function cholesky(matrix: Float64Array, width: number): Float64Array {
  const factor = new Float64Array(width * width)
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = matrix[i * width + j]
      for (let k = 0; k < j; k++) rest -= factor[i * width + k] * factor[j * width + k]
      factor[i * width + j] = i === j ? Math.sqrt(rest) : rest / factor[j * width + j]
    }
  }
  return factor
}
