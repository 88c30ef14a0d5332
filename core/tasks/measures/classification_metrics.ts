/**
 * Metrics of classification. Each equals scikit-learn's with all labels given and
 * `zero_division=0`: a class without a prediction or without an example scores 0 and still counts in the macro mean.
 * @module
 */

/** Counts by expected class (row) and predicted class (column). */
export type ConfusionMatrix = ReadonlyArray<ReadonlyArray<number>>

/** How one class was told from the others. */
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

/** What predictions are worth. */
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

/** 0/0 is 0: nothing found is no merit. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

function sum(values: ReadonlyArray<number>): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Number of examples of each class. */
function rowSums(confusion: ConfusionMatrix): Array<number> {
  return confusion.map(sum)
}

/** Number of predictions of each class. */
function columnSums(confusion: ConfusionMatrix): Array<number> {
  return confusion.map((_, column) => sum(confusion.map((row) => row[column])))
}

function diagonal(confusion: ConfusionMatrix): Array<number> {
  return confusion.map((row, index) => row[index])
}

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

/** Share of right predictions; 0 when there are none. */
export function accuracy(confusion: ConfusionMatrix): number {
  return ratio(sum(diagonal(confusion)), sum(rowSums(confusion)))
}

/** Precision, recall, F1 and support of each class. */
export function perClassScores(confusion: ConfusionMatrix, labels: ReadonlyArray<string>): Array<ClassScores> {
  const supports = rowSums(confusion)
  const predictions = columnSums(confusion)
  const hits = diagonal(confusion)
  return labels.map((label, index) => ({
    label,
    precision: ratio(hits[index], predictions[index]),
    recall: ratio(hits[index], supports[index]),
    f1: ratio(2 * hits[index], predictions[index] + supports[index]),
    support: supports[index],
  }))
}

/**
 * Matthews correlation coefficient for any number of classes (Gorodkin 2004, eq. 8); 0 when all examples or all
 * predictions are of one class.
 */
export function matthewsCorrelation(confusion: ConfusionMatrix): number {
  const supports = rowSums(confusion)
  const predictions = columnSums(confusion)
  const total = sum(supports)
  const dot = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => sum(a.map((value, index) => value * b[index]))
  const covariance = sum(diagonal(confusion)) * total - dot(supports, predictions)
  const spread = (total * total - dot(predictions, predictions)) * (total * total - dot(supports, supports))
  return ratio(covariance, Math.sqrt(spread))
}

/**
 * All of it at once, from class indices into `labels`.
 * @throws {RangeError} when the two differ in length or hold an index without a label.
 */
export function classificationMetrics(
  expected: ArrayLike<number>,
  predicted: ArrayLike<number>,
  labels: ReadonlyArray<string>,
): ClassificationMetrics {
  const confusion = confusionMatrix(expected, predicted, labels.length)
  const perClass = perClassScores(confusion, labels)
  return {
    accuracy: accuracy(confusion),
    macroF1: ratio(sum(perClass.map(({ f1 }) => f1)), labels.length),
    matthews: matthewsCorrelation(confusion),
    perClass,
    confusion,
  }
}
