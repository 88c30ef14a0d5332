import { DataError, quoted } from "../../data_error.ts"

/** Rows in a JSON value, and where they were found. */
export interface FoundRows {
  /** The rows: objects, unless the file is malformed. */
  readonly rows: ReadonlyArray<unknown>
  /** What was assumed. Default: nothing. */
  readonly note?: string
}

type Values = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Values =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isNumbered = (names: ReadonlyArray<string>): boolean => names.every((name) => /^\d+$/.test(name))

/** A row from names and cells of the same number. */
const rowOf = (names: ReadonlyArray<string>, cells: ReadonlyArray<unknown>): unknown =>
  cells.length === names.length ? Object.fromEntries(names.map((name, column) => [name, cells[column]])) : cells

/** Turns rows that are lists into objects, if a header names their items. */
export const namedRows = (rows: ReadonlyArray<unknown>, header?: ReadonlyArray<string>): ReadonlyArray<unknown> =>
  header === undefined ? rows : rows.map((row) => Array.isArray(row) ? rowOf(header, row) : row)

/**
 * The rows of a JSON file: an array of objects, or an unambiguous other form of pandas (`to_json` with any `orient`) or
 * datasets (`to_dict`).
 *
 * @throws DataError `Malformed` that says what the file is.
 */
export const rowsOfJson = (value: unknown, source: string, header?: ReadonlyArray<string>): FoundRows => {
  const fail = (what: string): never => {
    throw new DataError({
      reason: "Malformed",
      message: `${source} must hold one JSON array of objects; it holds ${what}`,
    })
  }
  if (Array.isArray(value)) {
    if (header === undefined && value.length > 0 && value.every(Array.isArray)) {
      return fail("an array of arrays, without names of columns: name them (option header)")
    }
    return { rows: namedRows(value, header) }
  }
  if (!isObject(value)) return fail(`only ${JSON.stringify(value).slice(0, 40)}`)
  const names = Object.keys(value)
  const values = Object.values(value)
  const lists = names.filter((name) => Array.isArray(value[name]))
  const listed = lists.filter((name) => (value[name] as ReadonlyArray<unknown>).every(isObject))
  if (isSplit(value)) return { rows: value.data.map((cells) => rowOf(value.columns.map(String), cells)) }
  if (lists.length === names.length && names.length > 0 && listed.length === 0) return byColumn(value, fail)
  if (names.length > 0 && values.every(isObject)) return byKeys(value as Readonly<Record<string, Values>>, fail)
  const full = listed.filter((name) => (value[name] as ReadonlyArray<unknown>).length > 0)
  if (full.length > 1) {
    return fail(`several lists of rows, ${quoted(full)}: save each in a file of its own`)
  }
  if (full.length === 1) {
    return {
      rows: value[full[0]] as ReadonlyArray<unknown>,
      note: `${source}: the rows are those of ${JSON.stringify(full[0])}`,
    }
  }
  return fail(`one object with ${quoted(names.slice(0, 5)) || "nothing in it"}`)
}

/** What pandas writes with `orient="split"`. */
const isSplit = (
  value: Values,
): value is { readonly columns: ReadonlyArray<unknown>; readonly data: ReadonlyArray<ReadonlyArray<unknown>> } =>
  Array.isArray(value.columns) && Array.isArray(value.data) && value.data.every(Array.isArray)

/** A list of cells for each column. */
const byColumn = (value: Values, fail: (what: string) => never): FoundRows => {
  const names = Object.keys(value)
  const columns = Object.values(value) as ReadonlyArray<ReadonlyArray<unknown>>
  const [{ length }] = columns
  if (columns.some((cells) => cells.length !== length)) {
    const sizes = names.map((name, column) => `${columns[column].length} of ${JSON.stringify(name)}`).join(", ")
    return fail(`lists of different lengths: ${sizes}`)
  }
  return { rows: Array.from({ length }, (_, row) => rowOf(names, columns.map((cells) => cells[row]))) }
}

/** Objects in an object: rows by number within columns (pandas' default), or columns within numbered rows. */
const byKeys = (value: Readonly<Record<string, Values>>, fail: (what: string) => never): FoundRows => {
  const outer = Object.keys(value)
  const inner = Object.keys(value[outer[0]])
  const same = Object.values(value).every((own) => {
    const keys = Object.keys(own)
    return keys.length === inner.length && keys.every((key) => Object.hasOwn(value[outer[0]], key))
  })
  if (isNumbered(outer) && !isNumbered(inner)) return { rows: Object.values(value) }
  if (same && isNumbered(inner) && !isNumbered(outer)) {
    return { rows: inner.map((row) => rowOf(outer, outer.map((column) => value[column][row]))) }
  }
  return fail(
    `objects by the names ${quoted(outer.slice(0, 3))}, which may be columns or ` +
      'rows: write it with orient="records"',
  )
}
