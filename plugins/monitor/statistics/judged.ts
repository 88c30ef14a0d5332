/**
 * Statistics of answers that were judged. Each is the window's figure against the reference's, so that both samples'
 * chance is in the thresholds.
 * @module
 */
import type { Sample } from "../profile/sample.ts"
import { flagsOf, type Statistic } from "./statistic.ts"

/** A figure of the rows of a sample that count. */
type Figure = (sample: Sample, counts: (row: number) => boolean) => number

const all = (): boolean => true

/** Accuracy that a window lacks beside the reference, -1 to 1. */
export function accuracyLoss(): Statistic {
  const errors: Figure = ({ rows, columns: { correct } }, counts) => {
    let [wrong, total] = [0, 0]
    for (let row = 0; row < rows; row++) {
      if (!counts(row)) continue
      wrong += 1 - correct[row]
      total++
    }
    return wrong / total
  }
  return increase("accuracy", ["correct"], errors)
}

/**
 * Expected calibration error of a window less that of the reference (Naeini et al. 2015; Guo et al. 2017, equation 3):
 * sum over bins of confidence of |B| / n |accuracy(B) - confidence(B)|, each error 0 to 1.
 *
 * @param bins Number of bins of equal width. Default 10.
 */
export function calibration(bins = 10): Statistic {
  return increase(
    "ece",
    ["confidence", "correct"],
    (sample, counts) => calibrationError(sample, bins, counts),
  )
}

/** Expected calibration error over bins of equal width; a confidence on an edge is in the bin below it. */
export function calibrationError(
  { rows, columns: { confidence, correct } }: Sample,
  bins: number,
  counts: (row: number) => boolean = all,
): number {
  const gaps = new Float64Array(bins)
  let total = 0
  for (let row = 0; row < rows; row++) {
    if (!counts(row)) continue
    const bin = Math.max(0, Math.min(bins - 1, Math.ceil(confidence[row] * bins) - 1))
    gaps[bin] += correct[row] - confidence[row]
    total++
  }
  return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / total
}

/** By how much a figure of judged answers is larger in a window. */
function increase(name: string, columns: ReadonlyArray<string>, figure: Figure): Statistic {
  return {
    name,
    columns,
    judged: true,
    prepare: (reference) => {
      const usual = figure(reference, all)
      return {
        measure: (window) => figure(window, all) - usual,
        split: (rows) => {
          const flags = flagsOf(rows, reference.rows)
          return figure(reference, (row) => flags[row] === 1) - figure(reference, (row) => flags[row] === 0)
        },
      }
    },
  }
}
