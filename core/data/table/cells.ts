import { listPlaces, rowsError } from "../data_error.ts"
import { HALF } from "../half_characters.ts"
import type { Table } from "./table.ts"

/**
 * A cell's exact text: numbers as the file has them, `true` and `false`, dates as ISO 8601; null, undefined and NaN are empty.
 * Undefined for lists and objects, and for whole numbers from 2^53 in memory, which may have lost digits (numbers of files
 * are text).
 */
export const cellText = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
      return value
    case "number":
      if (Number.isNaN(value)) return ""
      return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value)
    case "boolean":
    case "bigint":
      return String(value)
    case "undefined":
      return ""
    default:
      if (value === null) return ""
      return value instanceof Date && Number.isFinite(value.getTime()) ? value.toISOString() : undefined
  }
}

/** The texts of a column. @throws DataError with all rows that are no text, empty, or hold half of a character. */
export const cellsOf = (
  table: Table,
  column: string,
  textOf: (value: unknown) => string | undefined = cellText,
): ReadonlyArray<string> => {
  const faults = new CellFaults(table, column, textOf)
  const cells = table.rows.map((row, index) => {
    const cell = faults.textOf(row[column], index)
    if (cell.trim() === "") faults.empty.add(index)
    return cell
  })
  faults.check("text or a number is wanted, not a list or an object,")
  return cells
}

/** The lists of a column, with trimmed items. @throws DataError as {@link cellsOf}. */
export const listsOf = (table: Table, column: string): ReadonlyArray<ReadonlyArray<string>> => {
  const faults = new CellFaults(table, column)
  const lists = table.rows.map((row, index) => {
    const value = row[column]
    if (!Array.isArray(value)) faults.wrong.add(index)
    const list = Array.isArray(value) ? value.map((item) => faults.textOf(item, index).trim()) : []
    if (list.length === 0 || list.includes("")) faults.empty.add(index)
    return list
  })
  const where = table.textCells ? " (CSV and TSV hold no lists: use JSON Lines)" : ""
  faults.check(
    `a list of words or numbers is wanted${where}`,
    ": an empty list, or an item that is empty or null,",
    "; fill these rows or take them out (-100 is the tag of a word without a label)",
  )
  return lists
}

/** Texts that pandas' read_csv reads as missing by default. */
const MISSING = new Set(
  "#N/A,#N/A N/A,#NA,-1.#IND,-1.#QNAN,-NaN,-nan,1.#IND,1.#QNAN,<NA>,N/A,NA,NULL,NaN,None,n/a,nan,null".split(","),
)

/** Notes about cells that stay text here and are missing values in pandas. */
export const missingNotes = (table: Table, columns: ReadonlyArray<string>): ReadonlyArray<string> =>
  !table.textCells ? [] : columns.flatMap((column) => {
    const found = table.rows.flatMap((row, index) => MISSING.has((row[column] as string).trim()) ? [index] : [])
    if (found.length === 0) return []
    const words = [...new Set(found.map((index) => JSON.stringify(table.rows[index][column])))].slice(0, 5)
    const places = listPlaces(table.unit, found.map((index) => table.places[index]))
    return [
      `${table.source}, column ${JSON.stringify(column)}: ${words.join(", ")} in ${places} stays text; ` +
      "pandas takes it for a missing value",
    ]
  })

/** Rows of a column at fault, by kind of fault. */
class CellFaults {
  readonly wrong = new Set<number>()
  readonly empty = new Set<number>()
  readonly halves = new Set<number>()
  readonly unsafe = new Set<number>()
  constructor(readonly table: Table, readonly column: string, readonly read: typeof cellText = cellText) {}

  textOf(value: unknown, index: number): string {
    const text = this.read(value)
    if (text === undefined) (typeof value === "number" ? this.unsafe : this.wrong).add(index)
    else if (!text.isWellFormed()) this.halves.add(index)
    return text ?? "?"
  }

  check(wanted: string, empty = " is empty", fill = "; fill these rows or take them out"): void {
    const fail = (indices: ReadonlySet<number>, reason: "Malformed" | "EmptyText", what: string, advice = "") => {
      if (indices.size === 0) return
      const rows = [...indices].map((index) => this.table.places[index])
      throw rowsError(reason, this.table, rows, `, column ${JSON.stringify(this.column)}${what}`, advice)
    }
    fail(this.wrong, "Malformed", `: ${wanted}`)
    fail(
      this.unsafe,
      "Malformed",
      ": a whole number beyond 2^53, where numbers lose digits,",
      "; give it as text or as a bigint",
    )
    fail(this.halves, "Malformed", `: ${HALF.what}`, `; ${HALF.advice}`)
    fail(this.empty, "EmptyText", empty, fill)
  }
}
