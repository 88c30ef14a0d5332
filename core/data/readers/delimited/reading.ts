import { parse } from "csv-parse/sync"
import { DataError, listPlaces } from "../../data_error.ts"
import { type Fault, malformed } from "../../table/table.ts"
import type { TextOptions } from "../../table/text_options.ts"
import { type ParsedRecord, type QuoteReading, readQuotes } from "./quotes.ts"
import { DELIMITERS } from "./records_table.ts"

/** One way to read a file. */
export interface Reading extends QuoteReading {
  readonly text: string
  readonly delimiter: string
  /** Whether quotes after backslashes counted as doubled ones. */
  readonly escaped: boolean
  /** Whether lone carriage returns counted as line ends. */
  readonly ended: boolean
}

/** Throws a {@link DataError} for a delimiter that is none. */
export const checkDelimiter = ({ delimiter }: TextOptions): void => {
  if (delimiter === undefined || /^[^"\r\n]+$/.test(delimiter)) return
  const message = `a delimiter is one or more characters, no quotes or line ends; got ${JSON.stringify(delimiter)}`
  throw new DataError({ reason: "BadInput", message })
}

/** Excel's own way to say the delimiter: what the first line says, and the text with that line empty, which keeps lines' numbers. */
export const sepLine = (text: string): readonly [delimiter: string, text: string] | undefined => {
  const found = /^("?sep=([^"\r\n])"?)\r*(?:\n|\r(?!\n))/i.exec(text)
  return found === null ? undefined : [found[2], text.slice(found[1].length)]
}

/** What to do where quotes contradict a reading. */
export const QUOTES_ADVICE = "; if quotes are characters of the text: option quotes: none"

/** Throws a {@link DataError} for records that contradict a reading, which comes after so many lines. */
export const checkReading = (
  { faults }: Reading,
  source: string,
  before: number,
  notes: ReadonlyArray<string>,
): void => {
  if (faults.length === 0) return
  const shift = ({ place, what }: Fault) => ({ place: place + before, what })
  throw malformed(source, "line", faults.map(shift), [QUOTES_ADVICE, ...notes].join("; "))
}

/** Reads with a delimiter. If only that makes all records fit, quotes after backslashes count as doubled ones. */
export const reads = (text: string, delimiter: string, { header, quotes = "auto" }: TextOptions): Reading => {
  const reading = { text, delimiter, escaped: false, ended: false, ...readQuotes(text, delimiter, header, quotes) }
  const mayEscape = quotes !== "none" && text.includes('\\"') && (!reading.quoting || reading.faults.length > 0)
  if (!mayEscape) return reading
  const doubled = doubledQuotes(text)
  const other = { ...reading, text: doubled, escaped: true, ...readQuotes(doubled, delimiter, header, quotes) }
  if (!other.quoting || other.faults.length > 0 || other.fitting < 1) return reading
  return { ...other, notes: [...other.notes, "quotes within fields are escaped by backslashes, as Spark writes them"] }
}

/** Quotes after backslashes as doubled ones. */
export const doubledQuotes = (text: string): string =>
  text.replace(/\\(["\\])/g, (_, escaped) => escaped === '"' ? '""' : escaped)

/**
 * The usual delimiter if it divides the first line and fits the rows. Else another one that fits: most rows if the usual one
 * divides nothing, all rows otherwise.
 */
export const delimiterOf = (text: string, usual: string, options: TextOptions): string => {
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
export const withLineEnds = (text: string, delimiter: string, options: TextOptions, notes: Array<string>): Reading => {
  if (!text.includes("\r")) return reads(text, delimiter, options)
  const kept = reads(text, delimiter, options)
  const ended = reads(text.replaceAll("\r", "\n"), delimiter, options)
  if (!text.includes("\n") || (kept.fitting < 1 && ended.fitting > kept.fitting)) {
    notes.push("lines end in carriage returns, as old Macs wrote them" + (text.includes("\n") ? ", some of them" : ""))
    return { ...ended, ended: true }
  }
  const lines = text.split("\n").flatMap((line, index) => line.includes("\r") ? [index + 1] : [])
  notes.push(`carriage returns within fields are kept (${listPlaces("line", lines)})`)
  return kept
}

/** All records of a text without faults that comes after so many lines, blank lines aside. */
export const recordsOf = (reading: Reading, before: number): ReadonlyArray<ParsedRecord> => {
  const records = ownRecords(reading)
  return before === 0 ? records : records.map(({ fields, line }) => ({ fields, line: line + before }))
}

const ownRecords = ({ text, delimiter, records, starts = [] }: Reading): ReadonlyArray<ParsedRecord> => {
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
