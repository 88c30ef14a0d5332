import { DataError } from "../data_error.ts"
import type { Format, ReadOptions } from "../read_options.ts"
import { delimited } from "./delimited.ts"
import { json, linesOrJson } from "./json.ts"
import { plainText } from "./text.ts"
import type { Table } from "../table.ts"

const readers: Record<Format, (text: string, source: string, options: ReadOptions) => Table> = {
  csv: (text, source, options) => delimited(text, source, ",", options),
  tsv: (text, source, options) => delimited(text, source, "\t", options),
  json,
  jsonl: linesOrJson,
  text: plainText,
}

/**
 * Parses a whole file's text.
 *
 * @throws DataError `Malformed` with the numbers of all malformed lines; `Empty` when there is no row.
 */
export const parseTable = (text: string, source: string, format: Format, options: ReadOptions = {}): Table => {
  if (text.trim() === "") throw new DataError({ reason: "Empty", message: `${source} holds no rows` })
  const table = readers[format](text, source, options)
  if (table.rows.length === 0) throw new DataError({ reason: "Empty", message: `${source} holds no rows` })
  return table
}
