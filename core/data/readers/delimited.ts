import { parse } from "csv-parse/sync"
import { DataError, listPlaces } from "../data_error.ts"
import type { TextOptions } from "../table/text_options.ts"
import { type Fault, malformed, type Table } from "../table/table.ts"
import type { ParseText } from "./parse_text.ts"
import { unixLineEnds } from "./delimited/line_ends.ts"
import { type ParsedRecord, type QuoteReading, readQuotes } from "./delimited/quotes.ts"
import { DELIMITERS, named, tableFrom } from "./delimited/records_table.ts"
import { jsonLines } from "./json.ts"

/** One way to read a file. */
interface Reading extends QuoteReading {
  readonly text: string
  readonly delimiter: string
}

/** A file of JSON under a name for CSV or TSV. */
const HOLDS_JSON = /^\s*(?:\[\s*)?\{\s*"/

/** Parses comma-separated values. */
export const csv: ParseText = (text, source, options) => delimited(text, source, ",", options)

/** Parses tab-separated values. */
export const tsv: ParseText = (text, source, options) => delimited(text, source, "\t", options)

/** Parses CSV, TSV and the like. The header line shows the delimiter, the whole file shows what its quotes are. */
const delimited = (whole: string, source: string, usual: string, options: TextOptions): Table => {
  if (HOLDS_JSON.test(whole)) {
    const table = jsonLines(whole, source, options)
    return { ...table, notes: [`${source} was read as JSON, which it holds`, ...table.notes ?? []] }
  }
  if (options.delimiter !== undefined && !/^[^"\r\n]+$/.test(options.delimiter)) {
    const message = `a delimiter is one or more characters, no quotes or line ends; got ${
      JSON.stringify(options.delimiter)
    }`
    throw new DataError({ reason: "BadInput", message })
  }
  // Excel's own way to say the delimiter.
  const sep = /^"?sep=([^"\r\n])"?\r*(?:\n|\r(?!\n))/i.exec(whole)
  const lines = unixLineEnds(sep === null ? whole : whole.slice(sep[0].length))
  // A file may end within "\r\n".
  const text = lines.includes("\n") ? lines.replace(/\r+$/, "") : lines
  const before = sep === null ? 0 : 1
  const notes: Array<string> = []
  const delimiter = options.delimiter ?? sep?.[1] ?? delimiterOf(text, usual, options)
  if (delimiter !== usual && options.delimiter === undefined && sep === null) {
    notes.push(`its columns are parted by ${named(delimiter)}, not by ${named(usual)}`)
  }
  const reading = withLineEnds(text, delimiter, options, notes)
  notes.push(...reading.notes)
  const shift = ({ place, what }: Fault) => ({ place: place + before, what })
  if (reading.faults.length > 0) {
    throw malformed(
      source,
      "line",
      reading.faults.map(shift),
      `; if quotes are characters of the text: option quotes: none${notes.map((note) => `; ${note}`).join("")}`,
    )
  }
  const records = recordsOf(reading)
  const moved = before === 0 ? records : records.map(({ fields, line }) => ({ fields, line: line + before }))
  const table = tableFrom(moved, source, delimiter, options.header, notes)
  return {
    ...table,
    textCells: true,
    columnAdvice: table.columns.length === 1
      ? "if its columns have another delimiter, give it (option delimiter)"
      : "they come from its first line: if that is a row of data, name the columns (option header)",
    notes: notes.map((note) => `${source}: ${note}`),
  }
}

/** Reads with a delimiter. If only that makes all records fit, quotes after backslashes count as doubled ones. */
const reads = (text: string, delimiter: string, { header, quotes = "auto" }: TextOptions): Reading => {
  const reading = { text, delimiter, ...readQuotes(text, delimiter, header, quotes) }
  const mayEscape = quotes !== "none" && text.includes('\\"') && (!reading.quoting || reading.faults.length > 0)
  if (!mayEscape) return reading
  const doubled = text.replace(/\\(["\\])/g, (_, escaped) => escaped === '"' ? '""' : escaped)
  const other = { text: doubled, delimiter, ...readQuotes(doubled, delimiter, header, quotes) }
  if (!other.quoting || other.faults.length > 0 || other.fitting < 1) return reading
  return { ...other, notes: [...other.notes, "quotes within fields are escaped by backslashes, as Spark writes them"] }
}

/**
 * The usual delimiter if it divides the first line and fits the rows. Else another one that fits: most rows if the usual one
 * divides nothing, all rows otherwise.
 */
const delimiterOf = (text: string, usual: string, options: TextOptions): string => {
  const [first] = text.trimStart().split(/[\r\n]/, 1)
  const others = Object.keys(DELIMITERS).filter((other) => other !== usual && first.includes(other))
  if (others.length === 0) return usual
  const fitting = (delimiter: string) => reads(text.replaceAll("\r", "\n"), delimiter, options).fitting
  const parts = first.includes(usual)
  if (parts && fitting(usual) === 1) return usual
  const shares = others.map(fitting)
  const best = shares.indexOf(Math.max(...shares))
  return shares[best] === 1 || (!parts && shares[best] > 0.5) ? others[best] : usual
}

/** Decides by the fit of the records whether lone carriage returns are characters or line ends. */
const withLineEnds = (text: string, delimiter: string, options: TextOptions, notes: Array<string>): Reading => {
  if (!text.includes("\r")) return reads(text, delimiter, options)
  const kept = reads(text, delimiter, options)
  const ended = reads(text.replaceAll("\r", "\n"), delimiter, options)
  if (!text.includes("\n") || (kept.fitting < 1 && ended.fitting > kept.fitting)) {
    notes.push("lines end in carriage returns, as old Macs wrote them" + (text.includes("\n") ? ", some of them" : ""))
    return ended
  }
  const lines = text.split("\n").flatMap((line, index) => line.includes("\r") ? [index + 1] : [])
  notes.push(`carriage returns within fields are kept (${listPlaces("line", lines)})`)
  return kept
}

/** All records of a text without faults, blank lines aside. */
const recordsOf = ({ text, delimiter, records, starts = [] }: Reading): ReadonlyArray<ParsedRecord> => {
  if (records !== undefined) return records
  const parsed = parse(text, {
    delimiter,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    // The default is the first line's.
    record_delimiter: "\n",
  }) as ReadonlyArray<ReadonlyArray<string>>
  // csv-parse counts carriage returns within fields as lines.
  return parsed.map((fields, index) => ({ fields, line: starts[index] })).filter(({ fields: [first, ...more] }) =>
    more.length > 0 || first === "" || first.trim() !== ""
  )
}
