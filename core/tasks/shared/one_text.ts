/**
 * What tasks share whose rows are one text with an answer.
 * @module
 */
import type { DataRow, Encoding, RowKind } from "../../data/data.ts"
import { textKey } from "../../data/split/text_keys.ts"
import { cellsOf } from "../../data/table/cells.ts"
import type { Table } from "../../data/table/table.ts"
import { cutterOf, type Fields } from "../../data/pieces/pieces.ts"

interface OneText extends DataRow {
  readonly text: string
}

/** A row's texts, and which rows are about the same one. */
export const ONE_TEXT: Pick<RowKind<OneText>, "texts" | "about"> = {
  texts: ({ text }) => [text],
  about: ({ text }) => textKey(text),
}

/** Rows of a table: the text of a column, and the answer of the record with an index. */
export const textRowsOf = <Answer extends object>(
  table: Table,
  column: string,
  answer: (index: number) => Answer,
): ReadonlyArray<OneText & Answer> =>
  cellsOf(table, column).map((text, index) => ({ text, ...answer(index), row: table.places[index] }))

/** Encodes the text with the tokenizer's special tokens; the field `labels` holds one value or several an example. */
export const textEncoder = <Row extends OneText>(
  labels: (row: Row, names: ReadonlyArray<string>) => Fields[string],
): Encoding<Row>["encoder"] =>
(data, tokenizer) => {
  const { around } = cutterOf(tokenizer, data.rows.map(({ text }) => text))
  return (row) => [{ ...around(row.text), fields: () => ({ labels: labels(row, data.labels) }) }]
}
