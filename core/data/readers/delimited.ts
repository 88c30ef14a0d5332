import type { TextOptions } from "../table/text_options.ts"
import type { Table } from "../table/table.ts"
import { holdsJson } from "./delimited/holds_json.ts"
import { unixLineEnds } from "./delimited/line_ends.ts"
import { checkDelimiter, checkReading, delimiterOf, recordsOf, sepLine, withLineEnds } from "./delimited/reading.ts"
import { headOf, otherDelimiter, tableBelow } from "./delimited/records_table.ts"
import { jsonLines } from "./json.ts"
import type { ParseText } from "./parse_text.ts"

/** Parses comma-separated values. */
export const csv: ParseText = (text, source, options) => delimited(text, source, ",", options)

/** Parses tab-separated values. */
export const tsv: ParseText = (text, source, options) => delimited(text, source, "\t", options)

/** Parses CSV, TSV and the like. The header line shows the delimiter, the whole file shows what its quotes are. */
const delimited = (whole: string, source: string, usual: string, options: TextOptions): Table => {
  if (holdsJson(whole)) {
    const table = jsonLines(whole, source, options)
    return { ...table, notes: [`${source} was read as JSON, which it holds`, ...table.notes ?? []] }
  }
  checkDelimiter(options)
  const [said, own] = sepLine(whole) ?? [undefined, whole]
  const lines = unixLineEnds(own)
  // A file may end within "\r\n".
  const text = lines.includes("\n") ? lines.replace(/\r+$/, "") : lines
  const notes: Array<string> = []
  const delimiter = options.delimiter ?? said ?? delimiterOf(text, usual, options)
  if (delimiter !== usual && options.delimiter === undefined && said === undefined) {
    notes.push(otherDelimiter(delimiter, usual))
  }
  const reading = withLineEnds(text, delimiter, options, notes)
  notes.push(...reading.notes)
  checkReading(reading, source, 0, notes)
  const { rows, ...head } = headOf(recordsOf(reading, 0), options.header, notes)
  return tableBelow(head, rows, source, delimiter, notes)
}
