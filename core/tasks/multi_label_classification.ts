import { cellText } from "../data/table/cells.ts"
import type { ColumnReader, DataRow, RowKind } from "../data/data.ts"
import { rowsError } from "../data/data_error.ts"
import { MASKED } from "../data/encode.ts"
import { readLabels } from "../data/labels/labels.ts"
import type { Table } from "../data/table/table.ts"
import { abs, add, exp, full, log, max, mean, mul, neg, sub } from "../tensor/ops.ts"
import { classesOf, isLabel, numberField } from "./classification.ts"
import { ONE_TEXT, textEncoder, textRowsOf } from "./shared/one_text.ts"
import type { TaskOf } from "./task.ts"

/** Columns of data for classification into any number of classes. */
export interface LabelSetColumns {
  /** Column that holds the text. */
  readonly text: string
  /** Column that holds a list of labels, or a text of labels with a separator between them; both may be empty. */
  readonly labels: string
  /** Separator between labels in a text. Default `","`. */
  readonly separator?: string
}

/** One text with the labels of its classes. */
export interface LabelSetRow extends DataRow {
  /** The text. */
  readonly text: string
  /** Ids of its labels in ascending order: indices into the data's `labels`; [-100] if they are unknown. */
  readonly labels: ReadonlyArray<number>
}

/** Texts with any number of labels. */
export const labelSetRows: RowKind<LabelSetRow> = {
  name: "multi-label",
  columns: "a text column and one of lists of labels",
  ...ONE_TEXT,
  says: ({ labels }) => labels,
  conflict: (rows, names) => rows.map(({ labels }) => shown(labels, names)),
  classes: ({ labels }) => labels,
  encoding: () => multiLabelClassification([]),
}

/** Reads {@link labelSetRows}. */
export const labelSetColumns = ({ text, labels, separator = "," }: LabelSetColumns): ColumnReader<LabelSetRow> => ({
  kind: labelSetRows,
  names: [text, labels],
  texts: [text],
  read: (table, options) => {
    const sets = setsOf(table, labels, separator, options.labels)
    const { source, unit, places } = table
    const where = { source, unit, column: labels, places: sets.flatMap((set, i) => set.map(() => places[i])) }
    const { names, ids, notes } = readLabels(sets.flat(), where, "words", options.labels, 1)
    let at = 0
    const sorted = sets.map(({ length }) => [...new Set(ids.slice(at, at += length))].sort((a, b) => a - b))
    const unknown = sorted.flatMap((set, index) => set.includes(MASKED) ? [index] : [])
    if (unknown.length > 0) {
      fail(table, labels, "a sign for no label; leave such rows out, or give [] for none,", unknown)
    }
    return { rows: textRowsOf(table, text, (index) => ({ labels: sorted[index] })), labels: names, notes }
  },
})

/** The names in each cell of a column. Throws DataError with all rows that hold neither a list nor a text. */
const setsOf = (
  table: Table,
  column: string,
  separator: string,
  given: ReadonlyArray<string> | undefined,
): ReadonlyArray<ReadonlyArray<string>> => {
  const cells = table.rows.map((row) => {
    const value = row[column]
    if (value === undefined || value === null) return undefined
    const items = Array.isArray(value) ? value.map(cellText) : cellText(value)?.split(separator)
    return items?.includes(undefined) ? undefined : items?.map((item) => item!.trim()).filter((item) => item !== "")
  })
  const wrong = cells.flatMap((cell, index) => cell === undefined ? [index] : [])
  if (wrong.length > 0) {
    fail(
      table,
      column,
      `expected a list of labels ([] for none), or a text of labels with ${JSON.stringify(separator)} between,`,
      wrong,
    )
  }
  const written = table.rows.flatMap((row, index) => isWrittenList(row[column]) ? [index] : [])
  if (written.length > 0) {
    const advice = `write labels with ${JSON.stringify(separator)} between, or lists in a JSON file,`
    fail(table, column, `a list that is written as a text; ${advice}`, written)
  }
  // Ids of classes may be 0 and 1 too, but not one for each class.
  const size = given?.length ?? cells[0]?.length ?? 0
  const oneHot = size > 1 &&
    cells.every((cell) => cell!.length === size && cell!.every((item) => item === "0" || item === "1"))
  if (oneHot) fail(table, column, "a 0 or 1 for each class; name the classes that a text has,", [0])
  return cells as ReadonlyArray<ReadonlyArray<string>>
}

const isWrittenList = (value: unknown): boolean => typeof value === "string" && /^\s*\[.*\]\s*$/s.test(value)

const fail = (table: Table, column: string, what: string, indices: ReadonlyArray<number>): never => {
  const rows = indices.map((index) => table.places[index])
  throw rowsError("Label", table, rows, `, column ${JSON.stringify(column)}: ${what}`)
}

/** Any number of classes for a text. */
export interface MultiLabelClassificationTask extends TaskOf<LabelSetRow> {
  /** Its name. */
  readonly kind: "multi-label-classification"
  /** Names of the classes. */
  readonly labels: ReadonlyArray<string>
}

const TASK: Omit<MultiLabelClassificationTask, "labels" | "head" | "fields" | "problem"> = {
  kind: "multi-label-classification",
  problemType: "multi_label_classification",
  rows: [labelSetRows],
  fault: ({ labels }, { length }, unlabeled) =>
    labels.every((label) => isLabel(label, length, unlabeled))
      ? undefined
      : `label ids must be from 0 to ${length - 1}`,
  unlabeled: (text, row) => ({ text, labels: [MASKED], row }),
  encoder: textEncoder(({ labels }, names) => names.map((_, id) => labels.includes(id) ? 1 : 0)),
  // torch.nn.BCEWithLogitsLoss: max(x, 0) - x y + log(1 + exp(-|x|)), the mean over classes, then over examples.
  objective: ({ batch: { fields: { labels } }, outputs: { logits } }) => {
    const each = add(sub(max(logits, 0), mul(logits, labels)), log(add(exp(neg(abs(logits))), 1)))
    return { loss: mean(each, [1]), weight: full(1, [logits.shape[0]]) }
  },
  measure: ({ outputs: { logits } }) => ({ logits }),
  metrics: { loss: "lower", microF1: "higher", macroF1: "higher", exactMatch: "higher" },
  judge: (measured, _, names) => {
    const sets = measured.map(({ row, values: { logits } }) => {
      const probabilities = Array.from(logits, (logit) => 1 / (1 + Math.exp(-logit)))
      return { row, probabilities, said: probabilities.flatMap((value, id) => value > 0.5 ? [id] : []) }
    })
    const predictions = sets.map(({ row: { text, labels }, said, probabilities }) => {
      // Probability of the whole set, with independent classes.
      const probability = probabilities.reduce((all, value) => all * Math.max(value, 1 - value), 1)
      return { text, expected: shown(labels, names), label: shown(said, names), probability, probabilities }
    })
    if (sets.some(({ row }) => row.labels.includes(MASKED))) return { predictions }
    const counts = names.map((_, id) => {
      const of = (test: (expected: boolean, said: boolean) => boolean) =>
        sets.filter(({ row, said }) => test(row.labels.includes(id), said.includes(id))).length
      return { hits: of((expected, said) => expected && said), all: of((expected) => expected) + of((_, said) => said) }
    })
    const sum = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0)
    // 0/0 counts as 0 (scikit-learn's zero_division=0).
    const f1 = (hits: number, all: number) => all === 0 ? 0 : 2 * hits / all
    const metrics = {
      microF1: f1(sum(counts.map(({ hits }) => hits)), sum(counts.map(({ all }) => all))),
      macroF1: sum(counts.map(({ hits, all }) => f1(hits, all))) / names.length,
      exactMatch: sets.filter(({ row, said }) => `${row.labels}` === `${said}`).length / sets.length,
    }
    return { metrics, predictions }
  },
}

/** Names of a set of labels. */
const shown = (labels: ReadonlyArray<number>, names: ReadonlyArray<string>): string =>
  labels.map((id) => names[id]).join(", ") || "(none)"

/** Any number of `labels` for a text, learned by binary cross-entropy; those with a probability over 0.5 are the answer. */
export const multiLabelClassification = (labels: ReadonlyArray<string>): MultiLabelClassificationTask => {
  const classes = classesOf(TASK.kind, "sequence", labels, { fewest: 1, needs: "different labels" })
  return { ...TASK, fields: numberField(classes.labels.length), ...classes }
}
