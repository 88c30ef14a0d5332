/**
 * The tasks of this package: the one table of them.
 * @module
 */
import type { ColumnReader, Data, DataRow } from "../data/data.ts"
import {
  causalLM,
  type CausalLMTask,
  type PairColumns,
  pairColumns,
  type PairRow,
  type TextColumns,
  textColumns,
  type TextRow,
} from "./causal_lm.ts"
import {
  classification,
  type ClassificationTask,
  type LabeledColumns,
  labeledColumns,
  type LabeledRow,
} from "./classification.ts"
import { maskedLM, type MaskedLMTask } from "./masked_lm.ts"
import {
  type LabelSetColumns,
  labelSetColumns,
  type LabelSetRow,
  multiLabelClassification,
  type MultiLabelClassificationTask,
} from "./multi_label_classification.ts"
import { regression, type RegressionTask, type ScoredColumns, scoredColumns, type ScoredRow } from "./regression.ts"
import type { TaskOf } from "./task.ts"
import {
  type TaggedColumns,
  taggedColumns,
  type TaggedRow,
  tokenClassification,
  type TokenClassificationTask,
} from "./token_classification.ts"

/** What a model learns. */
export type Task<Row extends DataRow = DataRow> = TaskOf<Row>

/** Makes tasks. */
export const Task: {
  /** One of `labels` for a text. */
  readonly classification: (labels: ReadonlyArray<string>) => ClassificationTask
  /** One of `labels` for each word of a text. */
  readonly tokenClassification: (labels: ReadonlyArray<string>) => TokenClassificationTask
  /** Any number of `labels` for a text. */
  readonly multiLabelClassification: (labels: ReadonlyArray<string>) => MultiLabelClassificationTask
  /** A score for a text, or several; `labels` are their names. Default: `["score"]`. */
  readonly regression: (labels?: ReadonlyArray<string>) => RegressionTask
  /** The next token at each position. */
  readonly causalLM: () => CausalLMTask
  /** Masked tokens, from both sides. */
  readonly maskedLM: () => MaskedLMTask
} = { classification, tokenClassification, multiLabelClassification, regression, causalLM, maskedLM }

/** The meaning of columns: by name for the tasks of this package, or a {@link ColumnReader}. */
export type Columns =
  | LabeledColumns
  | LabelSetColumns
  | ScoredColumns
  | PairColumns
  | TextColumns
  | TaggedColumns
  | ColumnReader

/** The data set that a column mapping gives. */
export type DataOf<C extends Columns> = C extends ColumnReader<infer Row> ? Data<Row>
  : C extends LabeledColumns ? Data<LabeledRow>
  : C extends LabelSetColumns ? Data<LabelSetRow>
  : C extends ScoredColumns ? Data<ScoredRow>
  : C extends PairColumns ? Data<PairRow>
  : C extends TaggedColumns ? Data<TaggedRow>
  : Data<TextRow>

/** Readers by a name that distinguishes their columns, in this order. */
// deno-lint-ignore no-explicit-any
const READERS: ReadonlyArray<readonly [name: string, reader: (columns: any) => ColumnReader]> = [
  ["prompt", pairColumns],
  ["words", taggedColumns],
  ["label", labeledColumns],
  ["labels", labelSetColumns],
  ["scores", scoredColumns],
  ["text", textColumns],
]

/** The reader of a column mapping. */
export const readerOf = (columns: Columns): ColumnReader => {
  if ("read" in columns) return columns
  const named = columns as unknown as Readonly<Record<string, unknown>>
  return READERS.find(([name]) => named[name] !== undefined)![1](columns)
}
