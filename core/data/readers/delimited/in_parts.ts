/**
 * CSV, TSV and the like in parts, for files that are larger than memory.
 * @module
 */
import { isPage } from "../file_kind.ts"
import type { LineFormat, LineReading } from "../lines/open_lines.ts"
import { malformed, type Table } from "../../table/table.ts"
import type { TextOptions } from "../../table/text_options.ts"
import { holdsJson } from "./holds_json.ts"
import { unixLineEnds } from "./line_ends.ts"
import { readQuotes } from "./quotes.ts"
import {
  checkDelimiter,
  checkReading,
  delimiterOf,
  doubledQuotes,
  QUOTES_ADVICE,
  type Reading,
  reads,
  recordsOf,
  sepLine,
  withLineEnds,
} from "./reading.ts"
import { type Head, headOf, otherDelimiter, tableBelow } from "./records_table.ts"
import { walkFields } from "./walk_fields.ts"

/** Comma-separated values as they are read. */
export const csvFormat: LineFormat = formatOf(",")
/** Tab-separated values as they are read. */
export const tsvFormat: LineFormat = formatOf("\t")

/** Characters of a record with fields in quotes, at most: a quote that is never closed would hold the rest of the file. */
const LONGEST_RECORD = 2 ** 24

/** How a file is written, as far as what was read of it shows. */
interface Style {
  readonly delimiter: string
  /** Whether lone carriage returns end lines. */
  readonly ended: boolean
  /** `"auto"` as long as there was no quote that shows it. */
  readonly quotes: "auto" | "none" | "double"
  /** Whether quotes within fields come after backslashes; undefined as long as none did. */
  readonly escaped: boolean | undefined
}

function formatOf(usual: string): LineFormat {
  return {
    isOf: (text) => !holdsJson(text) && !isPage(text),
    begin: (source, options) => {
      checkDelimiter(options)
      return reading(source, usual, options)
    },
  }
}

function reading(source: string, usual: string, options: TextOptions): LineReading {
  let held = "", before = 0
  let style: Style | undefined, head: Head | undefined
  /** What the first part shows of the style, to be told once. */
  const shown: Array<string> = []
  /** The rows of the records that are whole. */
  const take = (text: string, own: Style, isLast: boolean): Table => {
    const { whole, rest } = divided(text, own, isLast)
    if (rest.length > LONGEST_RECORD) {
      if (own.quotes === "auto") return take(text, { ...own, quotes: "none", escaped: false }, isLast)
      const what = `a quote opens a field and none closes it within ${LONGEST_RECORD} characters`
      throw malformed(source, "line", [{ place: before + linesOf(whole) + 1, what }], QUOTES_ADVICE)
    }
    const read = readingOf(whole, own, head?.columns ?? options.header)
    checkReading(read, source, before, read.notes)
    const notes = head === undefined ? [...shown, ...read.notes] : []
    style = learnt(own, read, whole)
    let records = recordsOf(read, before)
    held = rest
    before += linesOf(whole)
    if (head === undefined && records.length > 0) {
      const { rows, ...first } = headOf(records, options.header, notes)
      head = first
      records = rows
    }
    return tableBelow(head ?? NO_HEAD, records, source, own.delimiter, notes)
  }
  return {
    next: (part) => {
      // Parts end where lines do, except the last of a file.
      const isLast = !part.text.endsWith("\n")
      let text = unixLineEnds(part.text)
      if (isLast && (before > 0 || text.includes("\n"))) text = text.replace(/\r+$/, "")
      if (style === undefined) {
        if (text.trim() === "") {
          before += linesOf(text)
          return tableBelow(NO_HEAD, [], source, usual, [])
        }
        const [delimiter, own] = (before === 0 ? sepLine(text) : undefined) ?? [undefined, text]
        text = own
        style = styleOf(text, usual, delimiter === undefined ? options : { delimiter, ...options }, shown)
      }
      if (style.ended) text = text.replaceAll("\r", "\n")
      // Without a quote nothing closes the record that is held.
      const goesOn = held !== "" && !isLast && !text.includes('"') && held.length + text.length <= LONGEST_RECORD
      if (!goesOn) return take(held + text, style, isLast)
      held += text
      return tableBelow(head ?? NO_HEAD, [], source, usual, [])
    },
    end: () => held === "" || style === undefined ? undefined : take(held, style, true),
  }
}

const NO_HEAD: Head = { columns: [], width: { named: 0, all: 0 } }

const linesOf = (text: string): number => text.split("\n").length - 1

/** What the first part of a file shows. Adds to `notes`. */
const styleOf = (text: string, usual: string, options: TextOptions, notes: Array<string>): Style => {
  const sample = balanced(text)
  const delimiter = options.delimiter ?? delimiterOf(sample, usual, options)
  if (delimiter !== (options.delimiter ?? usual)) notes.push(otherDelimiter(delimiter, usual))
  const { quotes = "auto" } = options
  return {
    delimiter,
    ended: withLineEnds(sample, delimiter, options, notes).ended,
    quotes: quotes === "auto" && delimiter !== "\t" ? "double" : quotes,
    escaped: quotes === "none" ? false : undefined,
  }
}

/** The lines of a text up to the last one with an even number of quotes before its end: where quotes enclose fields, a record's. */
const balanced = (text: string): string => {
  let isEven = true, at = 0, end = 0
  for (const line of text.split("\n")) {
    at += line.length + 1
    if (line.split('"').length % 2 === 0) isEven = !isEven
    if (isEven) end = at
  }
  return end === 0 ? text : text.slice(0, end)
}

/** The records of a text that are whole, and the lines of the one whose end comes later. */
const divided = (text: string, { delimiter, quotes, escaped }: Style, takesAll: boolean) => {
  if (takesAll || quotes === "none" || !text.includes('"')) return { whole: text, rest: "" }
  let record = 1, open: number | undefined
  walkFields(escaped === true ? doubledQuotes(text) : text, delimiter, ({ line, column, endless }) => {
    if (column === 0) record = line
    if (endless) open ??= record
  }, () => {})
  if (open === undefined) return { whole: text, rest: "" }
  let end = 0
  for (let line = 1; line < open; line++) end = text.indexOf("\n", end) + 1
  return { whole: text.slice(0, end), rest: text.slice(end) }
}

const readingOf = (text: string, style: Style, header: ReadonlyArray<string> | undefined): Reading => {
  const { delimiter, quotes, escaped, ended } = style
  const named = header === undefined ? {} : { header }
  if (escaped === undefined) return { ...reads(text, delimiter, { ...named, quotes }), ended }
  const own = escaped ? doubledQuotes(text) : text
  return { text: own, delimiter, escaped, ended, ...readQuotes(own, delimiter, header, quotes) }
}

/** A style with what the quotes of a text showed. */
const learnt = (style: Style, { quoting, escaped }: Reading, text: string): Style => {
  if (!text.includes('"')) return style
  const quotes = style.quotes !== "auto" ? style.quotes : quoting ? "double" : "none"
  return {
    ...style,
    quotes,
    escaped: quotes === "none" ? false : style.escaped ?? (text.includes('\\"') ? escaped : undefined),
  }
}
