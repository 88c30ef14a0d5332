import type { ColumnReader, DataRow, FieldSpec, RowKind } from "../data/data.ts"
import { cellsOf } from "../data/table/cells.ts"
import { MASKED } from "../data/encode.ts"
import { readLabels } from "../data/labels/labels.ts"
import type { Head } from "../contracts/head.ts"
import { TEXTS, wrongArgument } from "../options/argument.ts"
import { classificationMetrics } from "./measures/classification_metrics.ts"
import { perExample } from "./shared/objectives.ts"
import { ONE_TEXT, textEncoder, textRowsOf } from "./shared/one_text.ts"
import type { TaskOf } from "./task.ts"

/** Columns of classification data. */
export interface LabeledColumns {
  /** Column that holds the text. */
  readonly text: string
  /** Column that holds the label's name or id. */
  readonly label: string
}

/** One text with its label. */
export interface LabeledRow extends DataRow {
  /** The text. */
  readonly text: string
  /** Label id: index into the data's `labels`; -100 for none. */
  readonly label: number
}

/** Texts with a label each. */
export const labeledRows: RowKind<LabeledRow> = {
  name: "classification",
  columns: "a text and a label column",
  ...ONE_TEXT,
  says: ({ label }) => label,
  conflict: (rows, labels) => rows.map(({ label }) => labels[label]),
  classes: ({ label }) => [label],
  stratified: true,
  encoding: () => classification([]),
}

/** Reads {@link labeledRows}. */
export const labeledColumns = ({ text, label }: LabeledColumns): ColumnReader<LabeledRow> => ({
  kind: labeledRows,
  names: [text, label],
  texts: [text],
  read: (table, options) => {
    const where = { ...table, column: label }
    const { names, ids, notes } = readLabels(cellsOf(table, label), where, "rows", options.labels)
    return { rows: textRowsOf(table, text, (index) => ({ label: ids[index] })), labels: names, notes }
  },
})

/** One class for a text. */
export interface ClassificationTask extends TaskOf<LabeledRow> {
  /** Its name. */
  readonly kind: "classification"
  /** Names of the classes. */
  readonly labels: ReadonlyArray<string>
}

const TASK: Omit<ClassificationTask, "labels" | "head" | "problem"> = {
  kind: "classification",
  problemType: "single_label_classification",
  rows: [labeledRows],
  fault: ({ label }, { length }, unlabeled) =>
    isLabel(label, length, unlabeled) ? undefined : `label ids must be from 0 to ${length - 1}, one for each text`,
  unlabeled: (text, row) => ({ text, label: MASKED, row }),
  fields: { labels: { per: "example", dtype: "i32", fill: MASKED } },
  encoder: textEncoder(({ label }) => [label]),
  objective: perExample,
  measure: ({ outputs: { logits } }) => ({ logits }),
  metrics: { loss: "lower", accuracy: "higher", macroF1: "higher", matthews: "higher" },
  judge: (measured, _, labels) => {
    const chosen = new Int32Array(measured.length)
    const predictions = measured.map(({ row: { text, label }, values }, index) => {
      const probabilities = softmax(values.logits)
      // Logits that are not numbers have no greatest.
      const best = chosen[index] = Math.max(0, probabilities.indexOf(Math.max(...probabilities)))
      const probability = probabilities[best]
      return { text, expected: labels[label], label: labels[best], probability, probabilities }
    })
    const expected = measured.map(({ row }) => row.label)
    if (expected.includes(MASKED)) return { predictions }
    const classification = classificationMetrics(expected, chosen, labels)
    const { accuracy, macroF1, matthews } = classification
    return { metrics: { accuracy, macroF1, matthews }, classification, predictions }
  },
}

/** One of `labels` for a text. */
export const classification = (labels: ReadonlyArray<string>): ClassificationTask => ({
  ...TASK,
  ...classesOf(TASK.kind, "sequence", labels),
})

/** Names of classes or scores, the head for them, and why there can be none. */
export const classesOf = (
  task: string,
  kind: "sequence" | "token",
  labels: ReadonlyArray<string>,
  { fewest = 2, needs = "at least two different labels" } = {},
): { readonly labels: ReadonlyArray<string>; readonly head: Head; readonly problem?: string } => {
  const wrong = wrongArgument("its labels", labels, TEXTS)
  if (wrong !== undefined) return { labels: [], head: { kind, size: 0 }, problem: `${task}: ${wrong}` }
  return {
    labels,
    head: { kind, size: labels.length },
    ...labels.length < fewest || new Set(labels).size < labels.length
      ? { problem: `${task} needs ${needs}, got ${JSON.stringify(labels)}` }
      : {},
  }
}

/** The field of several numbers an example. */
export const numberField = (size: number): Readonly<Record<string, FieldSpec>> => ({
  labels: { per: "example", dtype: "f32", fill: 0, size },
})

/** Whether a label is one of `count`, or none where that is allowed. */
export const isLabel = (label: number, count: number, none: boolean): boolean =>
  (Number.isInteger(label) && label >= 0 && label < count) || (none && label === MASKED)

/** Softmax in float64. */
const softmax = (logits: ArrayLike<number>): Array<number> => {
  const values = Array.from(logits)
  const top = Math.max(...values)
  const powers = values.map((value) => Math.exp(value - top))
  const total = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / total)
}
