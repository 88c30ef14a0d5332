import type { Shape } from "./shape.ts"
import { type Field, walkFields } from "./walk_fields.ts"

/** What quotes do in a file, were they quoting. Numbers are lines. */
export interface QuoteSurvey {
  /** The records that are no blank lines. */
  readonly shapes: ReadonlyArray<Shape>
  /** Where each record begins, also blank ones that are not quite empty: those that csv-parse gives. */
  readonly starts: ReadonlyArray<number>
  /** Fields that are quoted from end to end. */
  readonly quoted: ReadonlyArray<number>
  /** Those among them that hold doubled quotes. */
  readonly doubled: ReadonlyArray<number>
  /** Those that hold a line end. */
  readonly spanning: ReadonlyArray<number>
  /** Those that hold nothing that a writer has to quote. */
  readonly idle: ReadonlyArray<number>
  /** Whether the idle ones are those that hold a comma, all of them: Excel quotes these in every kind of file. */
  readonly commas: boolean
  /** Whether each column is quoted in all rows or in none, as where a writer quotes all texts. */
  readonly byColumn: boolean
  /** Whether a name in the header is quoted. */
  readonly header: boolean
  /** Quotes within a field that does not begin with one. */
  readonly bare: ReadonlyArray<number>
  /** Those of them with nothing but spaces before the first. */
  readonly spaced: ReadonlyArray<number>
  /** Text after a closing quote. */
  readonly trailing: ReadonlyArray<number>
  /** Quotes that are never closed: one at most. */
  readonly open: ReadonlyArray<number>
}

/** Looks through a text (line ends are "\n") as if its quotes were quoting. */
export const surveyQuotes = (text: string, delimiter: string, hasHeader: boolean): QuoteSurvey => {
  const lines = { quoted: [], doubled: [], spanning: [], idle: [], bare: [], spaced: [], trailing: [], open: [] } as {
    [Name in "quoted" | "doubled" | "spanning" | "idle" | "bare" | "spaced" | "trailing" | "open"]: Array<number>
  }
  const shapes: Array<Shape> = []
  const starts: Array<number> = []
  const columns: Array<{ quoted: boolean; plain: boolean }> = []
  const commas = { idle: 0, plain: 0 }
  let headerQuoted = false
  let filled = 0
  let first = ""
  let empty = true
  const note = (name: keyof typeof lines, line: number) => {
    if (lines[name].at(-1) !== line) lines[name].push(line)
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
