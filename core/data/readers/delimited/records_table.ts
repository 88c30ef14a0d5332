import { listPlaces } from "../../data_error.ts"
import { type Fault, malformed, type Row, type Table } from "../../table/table.ts"
import type { ParsedRecord } from "./quotes.ts"
import { fits, type Shape, shapeOf, type Width, widthOf } from "./shape.ts"

/** Usual delimiters, with their names for messages. */
export const DELIMITERS: Readonly<Record<string, string>> = {
  ",": "commas",
  "\t": "tabs",
  ";": "semicolons",
  "|": "bars",
}

/** A delimiter's name. */
const named = (delimiter: string): string => DELIMITERS[delimiter] ?? JSON.stringify(delimiter)

/** The note on a delimiter that is not the usual one. */
export const otherDelimiter = (delimiter: string, usual: string): string =>
  `its columns are parted by ${named(delimiter)}, not by ${named(usual)}`

/** Names of the columns, and the records below them. */
const headed = (
  records: ReadonlyArray<ParsedRecord>,
  header: ReadonlyArray<string> | undefined,
  notes: Array<string>,
) => {
  const [first, ...rest] = records
  if (first === undefined) return { names: [], rows: [] }
  if (header === undefined) return { names: first.fields, rows: rest }
  const same = first.fields.length === header.length &&
    first.fields.every((name, at) => name.trim() === header[at].trim())
  if (same) notes.push("its first line repeats the column names that were given, and is left out")
  return { names: header, rows: same ? rest : records }
}

/** A likely reason if no row fits the header and all have the same number of fields. */
const headerHint = (rows: ReadonlyArray<Shape>, faults: ReadonlyArray<Fault>): string => {
  const counts = new Set(rows.map(({ count }) => count))
  if (rows.length < 2 || faults.length < rows.length || counts.size > 1) return ""
  return `; all rows have ${
    rows[0].count
  } fields: the first line may be a title or a comment, not column names, or lack a name`
}

/** Whether a record repeats the header, as in joined files. */
const isHeader = (fields: ReadonlyArray<string>, names: ReadonlyArray<string>): boolean =>
  names.length > 1 && fields.length >= names.length && names.some((name) => name.trim() !== "") &&
  fields.every((field, at) => field.trim() === (names[at] ?? "").trim())

/** What the records of a file must fit. */
export interface Head {
  readonly columns: ReadonlyArray<string>
  readonly width: Width
}

/** The head of a file's records, and those below it. Without a given header, the first record is the header. Adds to `notes`. */
export const headOf = (
  records: ReadonlyArray<ParsedRecord>,
  header: ReadonlyArray<string> | undefined,
  notes: Array<string>,
): Head & { readonly rows: ReadonlyArray<ParsedRecord> } => {
  const { names, rows } = headed(records, header, notes)
  const width = widthOf(records.map(({ fields, line }) => shapeOf(fields, line)), header)
  if (width.numbered) notes.push("its first column has no name: it numbers the rows")
  return { columns: width.numbered ? ["", ...names] : names, width, rows }
}

/**
 * The table of records below a head. Adds to `notes`.
 *
 * @throws DataError `Malformed` with all records that do not fit the head.
 */
export const tableBelow = (
  { columns, width }: Head,
  records: ReadonlyArray<ParsedRecord>,
  source: string,
  delimiter: string,
  notes: Array<string>,
): Table => {
  const table = { rows: [] as Array<Row>, places: [] as Array<number> }
  const faults: Array<Fault> = []
  const empty: Array<number> = []
  const repeated: Array<number> = []
  const shapes = records.map(({ fields, line }) => shapeOf(fields, line))
  records.forEach(({ fields, line }, index) => {
    const shape = shapes[index]
    if (shape.filled === 0 && columns.length > 1) {
      if (fields.length > 1) empty.push(line)
    } else if (isHeader(fields, columns)) repeated.push(line)
    else if (fits(shape, width)) {
      table.rows.push(Object.fromEntries(columns.map((name, column) => [name, fields[column] ?? ""])))
      table.places.push(line)
    } else faults.push({ place: line, what: `${fields.length} fields where there are ${columns.length} columns` })
  })
  if (faults.length > 0) {
    throw malformed(
      source,
      "line",
      faults,
      `; columns are parted by ${named(delimiter)}, a field that holds one is in quotes${headerHint(shapes, faults)}${
        notes.map((note) => `; ${note}`).join("")
      }`,
    )
  }
  if (repeated.length > 0) {
    notes.push(`the column names stand there again, and are left out (${listPlaces("line", repeated)})`)
  }
  if (empty.length > 0) notes.push(`rows without any content are left out (${listPlaces("line", empty)})`)
  return {
    source,
    columns,
    ...table,
    unit: "line",
    textCells: true,
    columnAdvice: columns.length === 1
      ? "if its columns have another delimiter, give it (option delimiter)"
      : "they come from its first line: if that is a row of data, name the columns (option header)",
    notes: notes.map((note) => `${source}: ${note}`),
  }
}
