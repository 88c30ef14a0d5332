import type { Shape } from "./shape.ts"
import { type Field, walkFields } from "./walk_fields.ts"

/** What a line can show, if quotes enclose fields. */
const SIGNS = [
  "quoted", // a field in quotes from end to end
  "doubled", // such a field with doubled quotes
  "spanning", // such a field with a line end
  "idle", // such a field that needs no quotes
  "bare", // a quote within a field that does not begin with one
  "spaced", // such a quote with nothing but spaces before it
  "trailing", // text after a closing quote
  "open", // a quote that is never closed
] as const
type Sign = typeof SIGNS[number]

/** What quotes do in a file, if they enclose fields: the lines of each sign, and what holds for all of them. */
export interface QuoteSurvey extends Readonly<Record<Sign, ReadonlyArray<number>>> {
  /** The records that are no blank lines. */
  readonly shapes: ReadonlyArray<Shape>
  /** First lines of the records that csv-parse gives: blank ones too, unless they are empty. */
  readonly starts: ReadonlyArray<number>
  /** Whether exactly the fields with a comma are idle: Excel quotes these in every kind of file. */
  readonly commas: boolean
  /** Whether each column is quoted in all rows or in none, as by a writer that quotes all texts. */
  readonly byColumn: boolean
  /** Whether a name in the header is quoted. */
  readonly header: boolean
}

/** Looks through a text (line ends are "\n") as if its quotes enclosed fields. */
export const surveyQuotes = (text: string, delimiter: string, hasHeader: boolean): QuoteSurvey => {
  const lines = Object.fromEntries(SIGNS.map((sign) => [sign, []])) as unknown as Record<Sign, Array<number>>
  const shapes: Array<Shape> = []
  const starts: Array<number> = []
  const columns: Array<{ quoted: boolean; plain: boolean }> = []
  const commas = { idle: 0, plain: 0 }
  let headerQuoted = false
  let filled = 0
  let first = ""
  let empty = true
  const note = (sign: Sign, line: number) => {
    if (lines[sign].at(-1) !== line) lines[sign].push(line)
  }
  const visitQuoted = ({ text, line }: Field) => {
    note("quoted", line)
    const needed = [text.includes('""'), text.includes("\n"), text.includes(delimiter)]
    if (needed[0]) note("doubled", line)
    if (needed[1]) note("spanning", line)
    if (needed.includes(true)) return
    note("idle", line)
    commas.idle += text.includes(",") ? 0 : 1
  }
  walkFields(text, delimiter, (field) => {
    const { line, column, kind } = field
    if (column === 0) first = field.text
    empty = column === 0 && kind === "plain" && field.text === ""
    if (kind === "plain") {
      if (field.text.includes('"')) note("bare", line)
      if (/^ +".*"$/.test(field.text) || /^ +"[^"]*$/.test(field.text)) note("spaced", line)
      if (field.text.includes(",")) commas.plain++
    } else if (kind !== "quoted") note(kind, line)
    if (field.text.trim() === "") return
    filled = column + 1
    if (kind === "quoted") visitQuoted(field)
    if (hasHeader && shapes.length === 0) headerQuoted ||= kind === "quoted"
    else if (kind === "quoted" || kind === "plain") (columns[column] ??= { quoted: false, plain: false })[kind] = true
  }, (line, count) => {
    if (!empty) starts.push(line)
    if (count > 1 || filled > 0) shapes.push({ line, count, filled, first })
    filled = 0
  })
  return {
    ...lines,
    shapes,
    starts,
    commas: commas.idle === 0 && commas.plain === 0,
    byColumn: columns.every(({ quoted, plain }) => !quoted || !plain),
    header: headerQuoted,
  }
}
