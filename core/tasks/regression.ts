import { cellsOf, cellText } from "../data/table/cells.ts"
import type { ColumnReader, DataRow, RowKind } from "../data/data.ts"
import { rowsError } from "../data/data_error.ts"
import { numeralOf } from "../data/labels/numeral.ts"
import type { Table } from "../data/table/table.ts"
import { full, mean, mul, sub } from "../tensor/ops.ts"
import { classesOf, numberField } from "./classification.ts"
import { pearson, spearman } from "./measures/correlation.ts"
import { ONE_TEXT, textEncoder, textRowsOf } from "./shared/one_text.ts"
import type { TaskOf } from "./task.ts"

/** Columns of data for regression. */
export interface ScoredColumns {
  /** Column that holds the text. */
  readonly text: string
  /** Column that holds the score, or one column for each of several. */
  readonly scores: string | ReadonlyArray<string>
}

/** One text with its scores. */
export interface ScoredRow extends DataRow {
  /** The text. */
  readonly text: string
  /** Scores, in the order of the data's `labels`; empty if they are unknown. */
  readonly scores: ReadonlyArray<number>
}

/** Texts with scores. */
export const scoredRows: RowKind<ScoredRow> = {
  name: "regression",
  columns: "a text column and one or more score columns",
  ...ONE_TEXT,
  says: ({ scores }) => scores,
  conflict: (rows) => rows.map(({ scores }) => shown(scores)),
  answers: "scores",
  encoding: () => regression(),
}

/** Reads {@link scoredRows}. */
export const scoredColumns = ({ text, scores }: ScoredColumns): ColumnReader<ScoredRow> => {
  const labels = typeof scores === "string" ? [scores] : scores
  return {
    kind: scoredRows,
    names: [text, ...labels],
    texts: [text],
    read: (table) => {
      const columns = labels.map((column) => numbersOf(table, column))
      const rows = textRowsOf(table, text, (index) => ({ scores: columns.map((numbers) => numbers[index]) }))
      return { rows, labels }
    },
  }
}

/** The numbers of a column. Throws DataError with all rows that hold no number. */
export const numbersOf = (table: Table, column: string, subject = "a score"): ReadonlyArray<number> => {
  const cells = cellsOf(table, column, scoreText).map((cell) => cell.trim())
  const wrong = cells.flatMap((cell, index) => isNumber(cell) ? [] : [index])
  if (wrong.length === 0) return cells.map(Number)
  const rows = wrong.map((index) => table.places[index])
  const found = [...new Set(wrong.map((index) => JSON.stringify(cells[index])))].slice(0, 5).join(", ")
  const what = `${subject} must be a number such as 3.7, got ${found}`
  throw rowsError("Label", table, rows, `, column ${JSON.stringify(column)}: ${what}`)
}

/** A score's text. Unlike an id, a score may be any float, also above 2^53. */
const scoreText = (value: unknown): string | undefined =>
  cellText(value) ?? (typeof value === "number" ? String(value) : undefined)

const isNumber = (cell: string): boolean => numeralOf(cell) !== undefined && Number.isFinite(Math.fround(Number(cell)))

/** One or more scores for a text. */
export interface RegressionTask extends TaskOf<ScoredRow> {
  /** Its name. */
  readonly kind: "regression"
  /** Names of the scores. */
  readonly labels: ReadonlyArray<string>
}

const TASK: Omit<RegressionTask, "labels" | "head" | "fields" | "problem"> = {
  kind: "regression",
  problemType: "regression",
  rows: [scoredRows],
  fault: ({ scores }, { length }, unlabeled) =>
    (scores.length === length && scores.every(Number.isFinite)) || (unlabeled && scores.length === 0)
      ? undefined
      : `scores must be finite numbers, ${length} for each text`,
  unlabeled: (text, row) => ({ text, scores: [], row }),
  encoder: textEncoder(({ scores }) => scores),
  // torch.nn.MSELoss: the mean over scores, then over examples.
  objective: ({ batch: { fields: { labels } }, outputs: { logits } }) => {
    const off = sub(logits, labels)
    return { loss: mean(mul(off, off), [1]), weight: full(1, [logits.shape[0]]) }
  },
  measure: ({ outputs: { logits } }) => ({ logits }),
  metrics: { loss: "lower", mse: "lower", mae: "lower", pearson: "higher", spearman: "higher" },
  judge: (measured, _, labels) => {
    const pairs = measured.map(({ row, values }) => ({ row, said: Array.from(values.logits) }))
    const predictions = pairs.map(({ row: { text, scores }, said }) => ({
      text,
      expected: shown(scores),
      label: shown(said),
      scores: said,
      distance: meanOf(said.map((value, i) => Math.abs(value - scores[i]))),
    }))
    if (pairs.some(({ row }) => row.scores.length === 0)) return { predictions }
    /** The mean over the scores of a function of expected and predicted values. */
    const each = (find: (expected: ReadonlyArray<number>, said: ReadonlyArray<number>) => number) =>
      meanOf(labels.map((_, i) => find(pairs.map(({ row }) => row.scores[i]), pairs.map(({ said }) => said[i]))))
    const metrics = {
      mse: each((expected, said) => meanOf(said.map((value, i) => (value - expected[i]) ** 2))),
      mae: each((expected, said) => meanOf(said.map((value, i) => Math.abs(value - expected[i])))),
      pearson: each(pearson),
      spearman: each(spearman),
    }
    return { metrics, predictions }
  },
}

const meanOf = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Scores with four digits each. */
const shown = (scores: ReadonlyArray<number>): string =>
  scores.map((score) => String(Number(score.toPrecision(4)))).join(", ")

/** A score for a text, or several, learned by mean squared error; `labels` are their names. Default: `["score"]`. */
export const regression = (labels: ReadonlyArray<string> = ["score"]): RegressionTask => {
  const classes = classesOf(TASK.kind, "sequence", labels, { fewest: 1, needs: "different names for its scores" })
  return { ...TASK, fields: numberField(classes.labels.length), ...classes }
}
