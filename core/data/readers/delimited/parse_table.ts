import { DataError } from "../../data_error.ts"
import type { Format, ReadOptions } from "../../table/read_options.ts"
import { delimited } from "../delimited.ts"
import { json, linesOrJson } from "../json.ts"
import { plainText } from "../text.ts"
import type { Table } from "../../table/table.ts"

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
  const holdsJson = (format === "csv" || format === "tsv") && /^\s*(?:\[\s*)?\{\s*"/.test(text)
  const own = holdsJson ? "jsonl" : format
  const table = { ...readers[own](text, source, options), format: own }
  if (table.rows.length === 0) throw new DataError({ reason: "Empty", message: `${source} holds no rows` })
  if (!holdsJson) return table
  return { ...table, notes: [`${source} was read as JSON, which it holds`, ...table.notes ?? []] }
}
