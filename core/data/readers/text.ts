import { TEXT_COLUMN, type TextOptions } from "../table/text_options.ts"
import type { Row, Table } from "../table/table.ts"
import { LINE_END } from "./delimited/line_ends.ts"
import type { LineFormat } from "./lines/open_lines.ts"
import type { ParseText } from "./parse_text.ts"

/** Reads plain text: a document per line, per paragraph (these end at blank lines), or the whole file. */
export const plainText: ParseText = (text, source, options) => tableOfText(text, source, options, 1)

/** Plain text as it is read, where a line is a document. */
export const textLineFormat: LineFormat = {
  isOf: (_, { document = "line" }) => document === "line",
  begin: (source, options) => ({ next: ({ text, line }) => tableOfText(text, source, options, line) }),
}

const tableOfText = (text: string, source: string, options: TextOptions, first: number): Table => {
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
    const lines = text.split(LINE_END)
    lines.forEach((line, index) => {
      if (document === "line") add(line, index + first)
      else if (line.trim() === "" || index === lines.length - 1) {
        add(lines.slice(from, index + 1).join("\n").trimEnd(), from + 1)
        from = index + 1
      }
    })
  }
  const notes = /^\s*\{\s*"[^\n]*\}\s*$/.test(text.trimStart().split(LINE_END, 1)[0])
    ? [`${source}: its lines look like JSON and are taken as plain text; if they are rows: option format: jsonl`]
    : []
  const columnAdvice = "plain text has no other: if its lines hold columns: option format: tsv"
  return { source, columns: [TEXT_COLUMN], rows, places, unit: "line", columnAdvice, notes }
}
