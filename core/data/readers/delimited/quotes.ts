import { listPlaces } from "../../data_error.ts"
import type { Fault } from "../../table/table.ts"
import { type QuoteSurvey, surveyQuotes } from "./quote_survey.ts"
import { fittingShare, shapeOf } from "./shape.ts"

/** How the quotes of a file are read. */
export interface QuoteReading {
  /** Whether `"` encloses fields. */
  readonly quoting: boolean
  /** Share of the records that fit the header in this reading. */
  readonly fitting: number
  /** What was assumed. */
  readonly notes: ReadonlyArray<string>
  /** Records that contradict this reading. */
  readonly faults: ReadonlyArray<Fault>
  /** If quotes enclose fields: first lines of the records, empty lines aside. */
  readonly starts?: ReadonlyArray<number>
  /** If they do not: the records. */
  readonly records?: ReadonlyArray<ParsedRecord>
}

/** A record's fields, and the line on which it begins. */
export interface ParsedRecord {
  readonly fields: ReadonlyArray<string>
  readonly line: number
}

const PLAIN_ADVICE = "if quotes are characters of the text: option quotes: none"

/** The lines of a text (line ends are "\n") that hold something, split at the delimiter. */
const plainRecords = (text: string, delimiter: string): ReadonlyArray<ParsedRecord> =>
  text.split("\n").flatMap((line, index) =>
    line.includes(delimiter) || line.trim() !== "" ? [{ fields: line.split(delimiter), line: index + 1 }] : []
  )

/**
 * Decides whether quotes enclose fields. With commas, semicolons or bars they do (RFC 4180), and breaking its rules is a
 * fault. With tabs both are usual: pandas and spreadsheets quote, GLUE does not. Then the file decides: all records must fit,
 * and it must show that a writer quoted (only the fields that need it, or whole columns).
 */
export const readQuotes = (
  text: string,
  delimiter: string,
  header: ReadonlyArray<string> | undefined,
  quotes: "auto" | "none" | "double",
): QuoteReading => {
  const plain = (): QuoteReading => {
    const records = plainRecords(text, delimiter)
    const fitting = fittingShare(records.map(({ fields, line }) => shapeOf(fields, line)), header)
    return { quoting: false, fitting, notes: [], faults: [], records }
  }
  if (quotes === "none" || !text.includes('"')) return plain()
  const survey = surveyQuotes(text, delimiter, header === undefined)
  const quoted = quotedReading(survey, fittingShare(survey.shapes, header))
  if (quotes === "double") return quoted
  const places = listPlaces("line", delimiter === "\t" ? survey.quoted : survey.spanning)
  if (delimiter !== "\t") {
    // Two unrelated quotes can look like one field although each of its lines is a row.
    if (survey.spanning.length === 0 || survey.doubled.length > 0 || plain().fitting < 1) return quoted
    return { ...quoted, notes: [...quoted.notes, `fields in quotes hold line ends (${places}); ${PLAIN_ADVICE}`] }
  }
  const unquoted = plain()
  if (!looksQuoted(survey, quoted.fitting, unquoted.fitting, header)) return { ...unquoted, notes: plainNotes(survey) }
  return { ...quoted, notes: [`quotes are taken as quoting (${places}); ${PLAIN_ADVICE}`, ...quoted.notes] }
}

/** Whether quotes enclose fields in a file with tabs. */
const looksQuoted = (
  { quoted, doubled, spanning, idle, commas, byColumn, header: headerQuoted, bare, trailing, open, shapes }:
    QuoteSurvey,
  quotedFitting: number,
  plainFitting: number,
  header: ReadonlyArray<string> | undefined,
): boolean => {
  if (quoted.length === 0 || trailing.length > 0 || open.length > 0) return false
  if (quotedFitting < 1 && quotedFitting <= plainFitting) return false
  if (plainFitting < 1 || doubled.length > 0 || headerQuoted) return true
  // A writer that quotes leaves no quote bare; and the lines of one field rarely are rows of their own.
  const columns = header?.length ?? shapes[0].count
  if (bare.length > 0 || (spanning.length > 0 && columns > 1)) return false
  return idle.length === 0 || commas || byColumn
}

const quotedReading = ({ bare, spaced, trailing, open, starts }: QuoteSurvey, fitting: number): QuoteReading => {
  const faults = [
    ...trailing.map((place) => ({ place, what: "text follows a closing quote" })),
    ...open.map((place) => ({ place, what: "a quote opens a field and no end of a field closes it" })),
  ].sort((a, b) => a.place - b.place)
  const notes = bare.length === 0 ? [] : [
    `quotes within fields are taken as characters (${
      listPlaces("line", bare)
    }); a field that holds quotes is usually ` +
    'written "as ""this"" is"' +
    (spaced.length === 0
      ? ""
      : `, and one that is quoted begins with its quote, not with a space (${listPlaces("line", spaced)})`),
  ]
  return { quoting: true, fitting, notes, faults, starts }
}

const plainNotes = (
  { quoted, doubled, header, bare, trailing, open }: QuoteSurvey,
): ReadonlyArray<string> => {
  const others = [...trailing, ...open].sort((a, b) => a - b)
  // No writer that quotes leaves both kinds.
  const certain = bare.length > 0 && others.length > 0 && doubled.length === 0 && !header
  if (quoted.length === 0 || certain) return []
  const beside = others.length === 0 ? "" : `; others do not, ${listPlaces("line", others)}`
  return [
    "quotes are taken as characters of the text, though fields begin and end with them " +
    `(${listPlaces("line", quoted)}${beside}); if they enclose fields: option quotes: double`,
  ]
}
