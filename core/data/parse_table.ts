import { CsvError, parse } from "csv-parse/sync"
import { DataError, listPlaces } from "./data_error.ts"
import type { Row, Table } from "./table.ts"

/** File formats that can be read. */
export type Format = "csv" | "tsv" | "json" | "jsonl" | "text"

/** How a file is read. */
export interface ReadOptions {
  /** Format; default: from the extension (`.csv .tsv .tab .json .jsonl .ndjson .txt`, each also with `.gz`). */
  readonly format?: Format
  /** Column names of a CSV or TSV file that has no header line; default: its first line. */
  readonly header?: ReadonlyArray<string>
  /** Plain text: what is one document; a paragraph ends at a blank line. Default "line". */
  readonly document?: "line" | "paragraph" | "file"
}

/** Name of the single column that plain text is read into. */
export const TEXT_COLUMN = "text"

/**
 * Parses a whole file's text.
 *
 * @throws DataError `Malformed` with the numbers of all malformed lines; `Empty` when there is no row.
 */
export const parseTable = (text: string, source: string, format: Format, options: ReadOptions = {}): Table => {
  const table = parsers[format](text, source, options)
  if (table.rows.length === 0) throw new DataError({ reason: "Empty", message: `${source} holds no rows` })
  return table
}

const malformed = (source: string, unit: "line" | "row", faults: ReadonlyArray<Fault>): DataError => {
  const rows = faults.map((fault) => fault.place)
  const first = faults.slice(0, 3).map((fault) => `${unit} ${fault.place}: ${fault.what}`).join("; ")
  const message = `${source}: ${faults.length} malformed row(s), ${listPlaces(unit, rows)}. ${first}`
  return new DataError({ reason: "Malformed", message, rows })
}

interface Fault {
  readonly place: number
  readonly what: string
}

interface ParsedRecord {
  readonly record: ReadonlyArray<string>
  readonly info: { readonly lines: number }
}

const delimited = (delimiter: string, quote: string | null) => (text: string, source: string, options: ReadOptions) => {
  let parsed: ReadonlyArray<ParsedRecord>
  try {
    // The parser counts a line end of two characters within quotes twice, and takes the first line's for all.
    parsed = parse(text.replaceAll("\r\n", "\n"), {
      delimiter,
      quote,
      bom: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      record_delimiter: "\n",
    }) as unknown as ReadonlyArray<ParsedRecord>
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    const lines = (cause as unknown as { readonly lines?: number }).lines
    throw new DataError({
      reason: "Malformed",
      message: `${source}: ${cause.message}`,
      ...(lines === undefined ? {} : { rows: [lines] }),
      cause,
    })
  }
  const header = options.header ?? parsed[0]?.record ?? []
  const twice = header.find((name, index) => header.indexOf(name) !== index)
  if (twice !== undefined) {
    throw new DataError({ reason: "Malformed", message: `${source}: column ${JSON.stringify(twice)} is there twice` })
  }
  const rows: Array<Row> = []
  const places: Array<number> = []
  const faults: Array<Fault> = []
  for (const { record, info } of options.header === undefined ? parsed.slice(1) : parsed) {
    // The parser tells the last line of a record; a quoted field may hold line ends.
    const place = info.lines - record.reduce((count, field) => count + field.split("\n").length - 1, 0)
    if (record.length !== header.length) {
      faults.push({ place, what: `${record.length} fields where there are ${header.length} columns` })
      continue
    }
    rows.push(Object.fromEntries(record.map((field, column) => [header[column], field])))
    places.push(place)
  }
  if (faults.length > 0) throw malformed(source, "line", faults)
  return { source, columns: header, rows, places, unit: "line" as const }
}

/** A table of parsed JSON values, or of rows from memory; values that are not objects are malformed. */
export const tableOf = (
  values: ReadonlyArray<unknown>,
  source: string,
  places: ReadonlyArray<number> = values.map((_, index) => index + 1),
  unit: "line" | "row" = "row",
  earlier: ReadonlyArray<{ readonly place: number; readonly what: string }> = [],
): Table => {
  const faults: Array<Fault> = [...earlier]
  const columns = new Set<string>()
  values.forEach((value, index) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      const what = `not an object: ${String(JSON.stringify(value)).slice(0, 40)}`
      faults.push({ place: places[index], what })
    } else for (const name of Object.keys(value)) columns.add(name)
  })
  if (faults.length > 0) throw malformed(source, unit, faults.sort((a, b) => a.place - b.place))
  return { source, columns: [...columns], rows: values as ReadonlyArray<Row>, places, unit }
}

const json = (text: string, source: string): Table => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new DataError({ reason: "Malformed", message: `${source} is not JSON: ${(cause as Error).message}`, cause })
  }
  if (!Array.isArray(value)) {
    throw new DataError({ reason: "Malformed", message: `${source} must hold one JSON array of objects` })
  }
  return tableOf(value, source)
}

const jsonLines = (text: string, source: string): Table => {
  const values: Array<unknown> = []
  const places: Array<number> = []
  const faults: Array<Fault> = []
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return
    try {
      values.push(JSON.parse(line))
      places.push(index + 1)
    } catch (cause) {
      faults.push({ place: index + 1, what: (cause as Error).message })
    }
  })
  return tableOf(values, source, places, "line", faults)
}

const plainText = (text: string, source: string, options: ReadOptions): Table => {
  const rows: Array<Row> = []
  const places: Array<number> = []
  const add = (document: string, line: number) => {
    if (document.trim() === "") return
    rows.push({ [TEXT_COLUMN]: document })
    places.push(line)
  }
  const document = options.document ?? "line"
  if (document === "file") add(text, 1)
  else {
    let from = 0
    const lines = text.split(/\r?\n/)
    lines.forEach((line, index) => {
      if (document === "line") add(line, index + 1)
      else if (line.trim() === "" || index === lines.length - 1) {
        add(lines.slice(from, index + 1).join("\n").trimEnd(), from + 1)
        from = index + 1
      }
    })
  }
  return { source, columns: [TEXT_COLUMN], rows, places, unit: "line" }
}

const parsers: Record<Format, (text: string, source: string, options: ReadOptions) => Table> = {
  csv: delimited(",", '"'),
  tsv: delimited("\t", null),
  json,
  jsonl: jsonLines,
  text: plainText,
}
