import { DataError, quoted } from "../data_error.ts"
import type { Table } from "./table.ts"

const MOST_SHOWN = 20

/** Checks that a table has each wanted column once. @throws DataError `MissingColumn`, `Malformed` */
export const checkColumns = (table: Table, wanted: ReadonlyArray<string>): void => {
  const { source, columns } = table
  const missing = wanted.filter((name) => !columns.includes(name))
  if (missing.length > 0) {
    const names = quoted(columns.slice(0, MOST_SHOWN))
    const there = columns.length > MOST_SHOWN ? `${names} and ${columns.length - MOST_SHOWN} more` : names
    const message = `${source} has no column ${quoted(missing)}; its columns are ${there + hint(table, missing)}`
    throw new DataError({ reason: "MissingColumn", message })
  }
  const twice = wanted.find((name) => columns.indexOf(name) !== columns.lastIndexOf(name))
  if (twice === undefined) return
  const message = `${source}: column ${JSON.stringify(twice)} is there twice: give one of them another name`
  throw new DataError({ reason: "Malformed", message })
}

/** The likely name, or what to do. */
const hint = (table: Table, missing: ReadonlyArray<string>): string => {
  const plain = (name: string) => name.trim().toLowerCase()
  const near = missing.flatMap((name) => table.columns.find((other) => plain(other) === plain(name)) ?? [])
  if (near.length > 0) return `; did you mean ${quoted(near)}?`
  return table.columnAdvice === undefined ? "" : `; ${table.columnAdvice}`
}
