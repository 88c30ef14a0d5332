import type { Data } from "../../core/data/data.ts"
import { DataError } from "../../core/data/data_error.ts"

/** A row whose label is likely wrong. */
export interface LikelyMislabelled {
  /** Its number. */
  readonly row: number
  /** The label that it has. */
  readonly label: string
  /** The label that the model takes for right. */
  readonly likelier: string
  /** Probability of its label minus that of the likelier one, -1 to 1: the lowest comes first. */
  readonly margin: number
}

/** Probabilities of a row's classes, as `Trainer.evaluate` gives them. */
export interface Judged {
  /** In the order of the labels. */
  readonly probabilities?: ReadonlyArray<number>
}

/**
 * Rows whose labels are likely wrong, by confident learning (Northcutt, Jiang, Chuang 2021, section 3.1): a row counts as one of
 * class j where its probability of j is at least the mean of those that are labelled j; where that is another class than its own,
 * the label is likely wrong. The model must not have been trained on these rows: take held-out ones, or the folds of a
 * cross-validation.
 *
 * @param data Rows with one class each.
 * @param predictions One for each row, in their order: `predictions` of `Trainer.evaluate`.
 * @throws DataError `BadInput` for data without classes, and predictions of other rows.
 */
export function likelyMislabelled(data: Data, predictions: ReadonlyArray<Judged>): ReadonlyArray<LikelyMislabelled> {
  const { kind, labels, rows, source } = data
  const wrong = kind.stratified !== true || kind.classes === undefined
    ? `${source}: ${kind.name} rows have no single class each`
    : predictions.length !== rows.length ||
        predictions.some(({ probabilities }) => probabilities?.length !== labels.length)
    ? `${source}: there must be a prediction with ${labels.length} probabilities for each of ${rows.length} rows`
    : undefined
  if (wrong !== undefined) throw new DataError({ reason: "BadInput", message: wrong })
  const all = rows.flatMap((row, i) => {
    const [own] = kind.classes!(row)
    return own < 0 ? [] : [{ row: row.row, own, probabilities: predictions[i].probabilities! }]
  })
  const usual = labels.map((_, label) => {
    const of = all.filter(({ own }) => own === label)
    return of.reduce((sum, { probabilities }) => sum + probabilities[label], 0) / of.length
  })
  return all.flatMap(({ row, own, probabilities }): ReadonlyArray<LikelyMislabelled> => {
    const sure = probabilities.flatMap((probability, label) =>
      probability >= usual[label] ? [{ probability, label }] : []
    )
    if (sure.length === 0) return []
    const best = sure.reduce((best, one) => one.probability > best.probability ? one : best)
    if (best.label === own) return []
    return [{ row, label: labels[own], likelier: labels[best.label], margin: probabilities[own] - best.probability }]
  }).sort((a, b) => a.margin - b.margin)
}
