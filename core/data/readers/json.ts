import { DataError } from "../data_error.ts"
import type { TextOptions } from "../table/text_options.ts"
import { type Table, tableOf } from "../table/table.ts"
import { rowsOfJson } from "./json/json_forms.ts"
import { tableOfLines } from "./json/lines.ts"
import type { LineFormat } from "./lines/open_lines.ts"
import { parseJsonValue } from "./json/json_value.ts"

const parsed = (text: string): { readonly value: unknown } | { readonly fault: string } => {
  try {
    return { value: parseJsonValue(text) }
  } catch (cause) {
    return { fault: (cause as Error).message }
  }
}

const isRow = (result: ReturnType<typeof parsed>): boolean =>
  "value" in result && /^[{[]/.test(JSON.stringify(result.value))

const whole = (value: unknown, source: string, { header }: TextOptions, notes: ReadonlyArray<string> = []): Table => {
  const { rows, note } = rowsOfJson(value, source, header)
  return { ...tableOf(rows, source), notes: [...notes, ...note === undefined ? [] : [note]] }
}

/** The first line of a text, and whether there are more. */
const firstLine = (text: string): { readonly line: string; readonly more: boolean } => {
  const whole = text.trim()
  const end = whole.search(/[\r\n]/)
  return { line: end < 0 ? whole : whole.slice(0, end), more: end >= 0 }
}

/** Reads a JSON file. JSON Lines under this name, which datasets and pandas write, are read as such. */
export const json = (text: string, source: string, options: TextOptions): Table => {
  const result = parsed(text)
  if ("value" in result) return whole(result.value, source, options)
  const { line, more } = firstLine(text)
  if (more && isRow(parsed(line))) {
    const table = tableOfLines(text, source, options)
    return { ...table, notes: [`${source} was read as JSON Lines: it holds one object a line (usually named .jsonl)`] }
  }
  const kind = /^\s*[[{"']/.test(text) ? "" : "; if it is a file of another kind, give its format (option format)"
  throw new DataError({ reason: "Malformed", message: `${source} is ${result.fault}${kind}` })
}

/** JSON Lines as they are read. */
export const jsonLineFormat: LineFormat = {
  isOf: (text, { header }) => {
    const { line, more } = firstLine(text)
    return (more || header !== undefined || !/^\[\s*\{/.test(line)) && isRow(parsed(line))
  },
  begin: (source, options) => ({ next: ({ text, line }) => tableOfLines(text, source, options, line) }),
}

/** Reads JSON Lines. One JSON value over several lines, or one array, is read as JSON. */
export const jsonLines = (text: string, source: string, options: TextOptions): Table => {
  const { line, more } = firstLine(text)
  const first = parsed(line)
  const isArray = !more && options.header === undefined && /^\[\s*\{/.test(line)
  if (isArray || (more && !isRow(first))) {
    const result = parsed(text)
    if ("value" in result) {
      return whole(result.value, source, options, [`${source} was read as JSON: it holds one value, not one a line`])
    }
  }
  return tableOfLines(text, source, options)
}
