import type { ColumnReader, DataRow, RowKind } from "../data/data.ts"
import { MASKED } from "../data/encode.ts"
import { cutterOf } from "../data/pieces/pieces.ts"
import { exactKey } from "../data/split/text_keys.ts"
import { cellsOf } from "../data/table/cells.ts"
import { LANGUAGE_MODEL } from "./causal_lm.ts"
import type { TaskOf } from "./task.ts"

/** Columns of sources with targets: the target is learned. */
export interface TargetColumns {
  /** Column that holds the source, which the encoder reads. */
  readonly source: string
  /** Column that holds the target, which the decoder learns to write. */
  readonly target: string
}

/** One source with its target. */
export interface TargetRow extends DataRow {
  /** What the encoder reads. */
  readonly source: string
  /** What the decoder learns to write. */
  readonly target: string
}

/** Sources with targets. */
export const targetRows: RowKind<TargetRow> = {
  name: "source and target",
  columns: "a source and a target column",
  texts: ({ source, target }) => [source, target],
  about: ({ source }) => exactKey(source),
  says: ({ target }) => exactKey(target),
  manyAnswers: true,
  asks: ({ source, target }) => [source, target],
  encoding: () => TASK,
}

/** Reads {@link targetRows}. */
export const targetColumns = ({ source, target }: TargetColumns): ColumnReader<TargetRow> => ({
  kind: targetRows,
  names: [source, target],
  texts: [source, target],
  read: (table) => {
    const targets = cellsOf(table, target)
    const rows = cellsOf(table, source).map((source, i) => ({ source, target: targets[i], row: table.places[i] }))
    return { rows }
  },
})

/** Writes a target for a source (Sutskever et al. 2014): each token of the target from those before it and the source. */
export interface Seq2SeqTask extends TaskOf<TargetRow> {
  /** Its name. */
  readonly kind: "seq2seq"
}

/** Fields, loss and metrics of models that write a target; the target's own tokens are its labels. */
export const TARGET_MODEL: Omit<typeof LANGUAGE_MODEL, "fields"> & Pick<TaskOf, "fields" | "head"> = {
  ...LANGUAGE_MODEL,
  head: { kind: "vocabulary", attention: "encoder-decoder" },
  fields: { labels: { per: "target", dtype: "i32", fill: MASKED } },
}

const TASK: Seq2SeqTask = {
  ...TARGET_MODEL,
  kind: "seq2seq",
  rows: [targetRows],
  // The target ends with the end token, if the tokenizer has one; a target that is cut does not.
  encoder: ({ rows }, tokenizer) => {
    const { around, goingOn } = cutterOf(tokenizer, rows.flatMap(({ source, target }) => [source, target]))
    return ({ source, target }) => [{
      ...around(source),
      target: goingOn(target),
      fields: (_, target) => ({ labels: target }),
    }]
  },
}

/** Writes a target for a source. */
export const seq2seq = (): Seq2SeqTask => TASK
