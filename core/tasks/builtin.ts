/**
 * The tasks of this package: the one table of them.
 * @module
 */
import type { ColumnReader, Data, DataRow } from "../data/data.ts"
import { DataError } from "../data/data_error.ts"
import { mustBe } from "../options/check.ts"
import * as causal from "./causal_lm.ts"
import * as single from "./classification.ts"
import { maskedLM, type MaskedLMTask } from "./masked_lm.ts"
import * as multi from "./multi_label_classification.ts"
import * as scored from "./regression.ts"
import * as answering from "./seq2seq.ts"
import { spanCorruption, type SpanCorruptionTask, type SpanOptions } from "./span_corruption.ts"
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
  /** A target for a source, with an encoder-decoder model. */
  readonly seq2seq: () => answering.Seq2SeqTask
  /** What is hidden in a text, with an encoder-decoder model. */
  readonly spanCorruption: (options?: SpanOptions) => SpanCorruptionTask
} = {
  classification: single.classification,
  tokenClassification: tagged.tokenClassification,
  multiLabelClassification: multi.multiLabelClassification,
  regression: scored.regression,
  causalLM: causal.causalLM,
  maskedLM,
  seq2seq: answering.seq2seq,
  spanCorruption,
}

/** The meaning of columns: by name for the tasks of this package, or a {@link ColumnReader}. */
export type Columns =
  | single.LabeledColumns
  | multi.LabelSetColumns
  | scored.ScoredColumns
  | causal.PairColumns
  | causal.TextColumns
  | answering.TargetColumns
  | tagged.TaggedColumns
  | ColumnReader

/** The data set that a column mapping gives. */
export type DataOf<C extends Columns> = C extends ColumnReader<infer Row> ? Data<Row>
  : C extends single.LabeledColumns ? Data<single.LabeledRow>
  : C extends multi.LabelSetColumns ? Data<multi.LabelSetRow>
  : C extends scored.ScoredColumns ? Data<scored.ScoredRow>
  : C extends causal.PairColumns ? Data<causal.PairRow>
  : C extends answering.TargetColumns ? Data<answering.TargetRow>
  : C extends tagged.TaggedColumns ? Data<tagged.TaggedRow>
  : Data<causal.TextRow>

/** Names of columns with their reader; a name that ends in "?" may be absent. */
// deno-lint-ignore no-explicit-any
const COLUMN_READERS: ReadonlyArray<readonly [names: ReadonlyArray<string>, reader: (columns: any) => ColumnReader]> = [
  [["prompt", "completion"], causal.pairColumns],
  [["source", "target"], answering.targetColumns],
  [["words", "tags"], tagged.taggedColumns],
  [["text", "label"], single.labeledColumns],
  [["text", "labels", "separator?"], multi.labelSetColumns],
  [["text", "scores"], scored.scoredColumns],
  [["text"], causal.textColumns],
]

const isColumn = (value: unknown): boolean =>
  typeof value === "string" || (Array.isArray(value) && value.every((one) => typeof one === "string"))

/** The reader of a column mapping. Throws DataError for columns that belong to no kind of rows. */
export const columnReaderOf = (columns: Columns): ColumnReader => {
  const named: Readonly<Record<string, unknown>> = { ...columns }
  if ("read" in named) return columns as ColumnReader
  const given = Object.keys(named).filter((name) => named[name] !== undefined)
  const found = COLUMN_READERS.find(([names]) =>
    given.every((name) => names.includes(name) || names.includes(`${name}?`)) &&
    names.every((name) => name.endsWith("?") || isColumn(named[name]))
  )
  if (found !== undefined) return found[1](columns)
  const kinds = COLUMN_READERS.map(([names]) => `{ ${names.join(", ")} }`).join(", ")
  throw new DataError({
    reason: "BadInput",
    message: mustBe("columns", `names of columns by meaning, ${kinds}, or a column reader`, columns).message,
  })
}
