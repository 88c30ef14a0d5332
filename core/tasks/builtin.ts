/**
 * The tasks of this package: the one table of them.
 * @module
 */
import type { ColumnReader, Data, DataRow } from "../data/data.ts"
import * as causal from "./causal_lm.ts"
import * as single from "./classification.ts"
import { maskedLM, type MaskedLMTask } from "./masked_lm.ts"
import * as multi from "./multi_label_classification.ts"
import * as scored from "./regression.ts"
import type { TaskOf } from "./task.ts"
import * as tagged from "./token_classification.ts"

/** What a model learns. */
export type Task<Row extends DataRow = DataRow> = TaskOf<Row>

/** Makes tasks. */
export const Task: {
  /** One of `labels` for a text. */
  readonly classification: (labels: ReadonlyArray<string>) => single.ClassificationTask
  /** One of `labels` for each word of a text. */
  readonly tokenClassification: (labels: ReadonlyArray<string>) => tagged.TokenClassificationTask
  /** Any number of `labels` for a text. */
  readonly multiLabelClassification: (labels: ReadonlyArray<string>) => multi.MultiLabelClassificationTask
  /** A score for a text, or several; `labels` are their names. Default: `["score"]`. */
  readonly regression: (labels?: ReadonlyArray<string>) => scored.RegressionTask
  /** The next token at each position. */
  readonly causalLM: () => causal.CausalLMTask
  /** Masked tokens, from both sides. */
  readonly maskedLM: () => MaskedLMTask
} = {
  classification: single.classification,
  tokenClassification: tagged.tokenClassification,
  multiLabelClassification: multi.multiLabelClassification,
  regression: scored.regression,
  causalLM: causal.causalLM,
  maskedLM,
}

/** The meaning of columns: by name for the tasks of this package, or a {@link ColumnReader}. */
export type Columns =
  | single.LabeledColumns
  | multi.LabelSetColumns
  | scored.ScoredColumns
  | causal.PairColumns
  | causal.TextColumns
  | tagged.TaggedColumns
  | ColumnReader

/** The data set that a column mapping gives. */
export type DataOf<C extends Columns> = C extends ColumnReader<infer Row> ? Data<Row>
  : C extends single.LabeledColumns ? Data<single.LabeledRow>
  : C extends multi.LabelSetColumns ? Data<multi.LabelSetRow>
  : C extends scored.ScoredColumns ? Data<scored.ScoredRow>
  : C extends causal.PairColumns ? Data<causal.PairRow>
  : C extends tagged.TaggedColumns ? Data<tagged.TaggedRow>
  : Data<causal.TextRow>

/** Readers by a name that distinguishes their columns, in this order. */
// deno-lint-ignore no-explicit-any
const COLUMN_READERS: ReadonlyArray<readonly [name: string, reader: (columns: any) => ColumnReader]> = [
  ["prompt", causal.pairColumns],
  ["words", tagged.taggedColumns],
  ["label", single.labeledColumns],
  ["labels", multi.labelSetColumns],
  ["scores", scored.scoredColumns],
  ["text", causal.textColumns],
]

/** The reader of a column mapping. */
export const columnReaderOf = (columns: Columns): ColumnReader => {
  if ("read" in columns) return columns
  const named = columns as unknown as Readonly<Record<string, unknown>>
  return COLUMN_READERS.find(([name]) => named[name] !== undefined)![1](columns)
}
