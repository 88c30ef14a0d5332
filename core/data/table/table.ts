import { DataError, listPlaces } from "../data_error.ts"

/**
 * One record: column name to value. A number of a file that JavaScript would write otherwise (1.0, 1e3, too many digits) is
 * text. Only the mapped columns must hold text or numbers.
 */
export type Row = Readonly<Record<string, unknown>>

/** Rows as read, before columns are mapped. */
export interface Table {
  /** File name, or "rows" for data from memory; used in messages. */
  readonly source: string
  /** Column names, in order. Columns that are not used may have an empty name, or one that is there twice. */
  readonly columns: ReadonlyArray<string>
  /** The records. */
  readonly rows: ReadonlyArray<Row>
  /** Line (1-based, header counted) or row (1-based) of each record. */
  readonly places: ReadonlyArray<number>
  /** Unit of {@link Table.places}. */
  readonly unit: "line" | "row"
  /** Whether all cells are text, as in CSV. Default false. */
  readonly textCells?: boolean
  /** What to do if a column is missing. Default: nothing to add. */
  readonly columnAdvice?: string
  /** Where a row is, if its number does not tell: of several files. Default: the number tells. */
  readonly locate?: (place: number) => string
  /** Notes about the reading. Default: none. */
  readonly notes?: ReadonlyArray<string>
}

/** What is wrong with one record. */
export interface Fault {
  /** Line or row. */
  readonly place: number
  /** What is wrong. */
  readonly what: string
}

/** The error for malformed records: their number, their places, and the faults of the first ones. */
export const malformed = (
  source: string,
  unit: "line" | "row",
  faults: ReadonlyArray<Fault>,
  advice = "",
): DataError => {
  const rows = faults.map((fault) => fault.place)
  const first = faults.slice(0, 3).map((fault) => `${unit} ${fault.place}: ${fault.what}`).join("; ")
  const message = `${source}: ${faults.length} malformed row(s), ${listPlaces(unit, rows)}. ${first}${advice}`
  return new DataError({ reason: "Malformed", message, rows })
}

/** A table of parsed JSON values or rows from memory. Values that are not objects are malformed. */
export const tableOf = (
  values: ReadonlyArray<unknown>,
  source: string,
  places: ReadonlyArray<number> = values.map((_, index) => index + 1),
  unit: "line" | "row" = "row",
  earlier: ReadonlyArray<Fault> = [],
): Table => {
  const faults: Array<Fault> = [...earlier]
  const columns = new Set<string>()
  values.forEach((value, index) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      const twice = typeof value === "string" && /^\s*[{[]/.test(value) ? " (JSON within a text: encoded twice?)" : ""
      faults.push({ place: places[index], what: `not an object: ${shown(value)}${twice}` })
    } else for (const name of Object.keys(value)) columns.add(name)
  })
  if (faults.length > 0) throw malformed(source, unit, faults.sort((a, b) => a.place - b.place))
  return { source, columns: [...columns], rows: values as ReadonlyArray<Row>, places, unit }
}

/** The start of a value, for a message. Bigints and circular values have no JSON. */
const shown = (value: unknown): string => {
  try {
    return String(JSON.stringify(value)).slice(0, 40)
  } catch {
    return String(value).slice(0, 40)
  }
}
