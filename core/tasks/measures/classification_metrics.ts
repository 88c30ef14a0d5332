/**
 * Metrics of classification. Each equals scikit-learn's with all labels given and
 * `zero_division=0`: a class without a prediction or without an example scores 0 and still counts in the macro mean.
 * @module
 */

/** Counts by expected class (row) and predicted class (column). */
export type ConfusionMatrix = ReadonlyArray<ReadonlyArray<number>>

/** Scores of one class. */
export interface ClassScores {
  /** Name of the class. */
  readonly label: string
  /** Share of its predictions that were right, 0 to 1. */
  readonly precision: number
  /** Share of its examples that were found, 0 to 1. */
  readonly recall: number
  /** Harmonic mean of precision and recall, 0 to 1. */
  readonly f1: number
  /** Number of its examples. */
  readonly support: number
}

/** Metrics of a classifier. */
export interface ClassificationMetrics {
  /** Share of right predictions, 0 to 1. */
  readonly accuracy: number
  /** Mean of the classes' F1, each with the same weight, 0 to 1. */
  readonly macroF1: number
  /** Matthews correlation coefficient, -1 to 1. */
  readonly matthews: number
  /** One row a class, in the order of the labels. */
  readonly perClass: ReadonlyArray<ClassScores>
  /** Counts by expected and predicted class. */
  readonly confusion: ConfusionMatrix
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

/** 0/0 counts as 0 (scikit-learn's `zero_division=0`). */
const ratio = (part: number, whole: number): number => whole === 0 ? 0 : part / whole

/**
 * Counts pairs of class indices.
 * @throws {RangeError} when the two differ in length or hold an index outside `0 .. classes - 1`.
 */
export function confusionMatrix(
  expected: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): ConfusionMatrix {
  if (expected.length !== predicted.length) {
    throw new RangeError(`There are ${expected.length} expected labels but ${predicted.length} predicted ones`)
  }
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  for (let row = 0; row < expected.length; row++) {
    for (const index of [expected[row], predicted[row]]) {
      if (!Number.isInteger(index) || index < 0 || index >= classes) {
        throw new RangeError(`Label ${index} of example ${row} lies outside 0 to ${classes - 1}`)
      }
    }
    counts[expected[row]][predicted[row]]++
  }
  return counts
}

/**
 * All of it at once, from class indices into `labels`. Matthews' coefficient is that for any number of classes (Gorodkin
 * 2004, eq. 8); it is 0 when all examples or all predictions are of one class.
 *
 * @throws {RangeError} when the two differ in length or hold an index without a label.
 */
export function classificationMetrics(
  expected: ArrayLike<number>,
  predicted: ArrayLike<number>,
  labels: ReadonlyArray<string>,
): ClassificationMetrics {
  const confusion = confusionMatrix(expected, predicted, labels.length)
  const supports = confusion.map(sum)
  const predictions = confusion.map((_, column) => sum(confusion.map((row) => row[column])))
  const hits = confusion.map((row, index) => row[index])
  const perClass = labels.map((label, index): ClassScores => ({
    label,
    precision: ratio(hits[index], predictions[index]),
    recall: ratio(hits[index], supports[index]),
    f1: ratio(2 * hits[index], predictions[index] + supports[index]),
    support: supports[index],
  }))
  const total = sum(supports)
  const dot = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => sum(a.map((value, index) => value * b[index]))
  const covariance = sum(hits) * total - dot(supports, predictions)
  const spread = (total * total - dot(predictions, predictions)) * (total * total - dot(supports, supports))
  return {
    accuracy: ratio(sum(hits), total),
    macroF1: ratio(sum(perClass.map(({ f1 }) => f1)), labels.length),
    matthews: ratio(covariance, Math.sqrt(spread)),
    perClass,
    confusion,
  }
}
