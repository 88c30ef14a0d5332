import { missingNotes } from "../../data/table/cells.ts"
import { checkColumns } from "../../data/table/check_columns.ts"
import type { ColumnReader, Data, DataRow, DatasetOptions } from "../../data/data.ts"
import { DataError } from "../../data/data_error.ts"
import type { OpenOptions } from "../../data/readers/reader.ts"
import type { Table } from "../../data/table/table.ts"
import { TEXTS, wrongArgument } from "../../options/argument.ts"
import { columnReaderOf, type Columns, type DataOf } from "../builtin.ts"
import { numbersOf } from "../regression.ts"

/** Rows of several files that an error locates. */
const MOST_LOCATED = 3

/** The columns that a reader wants of a file; all where it names none. */
export const wantedColumns = (
  { names, texts }: ColumnReader,
  numbers: ReadonlyArray<string>,
): Pick<OpenOptions, "columns" | "texts"> => names.length === 0 ? {} : { columns: [...names, ...numbers], texts }

/** The data set of a table. Throws DataError with all rows at fault. */
export const mapColumns = <C extends Columns>(table: Table, columns: C, options: DatasetOptions): DataOf<C> => {
  try {
    return mapped(table, columns, options)
  } catch (error) {
    if (!(error instanceof DataError) || table.locate === undefined || error.rows === undefined) throw error
    const { reason, message, rows, cause } = error
    const places = rows.slice(0, MOST_LOCATED).map(table.locate).join(", ")
    throw new DataError({ reason, message: `${message} (${places})`, rows, cause })
  }
}

const mapped = <C extends Columns>(table: Table, columns: C, options: DatasetOptions): DataOf<C> => {
  if (table.rows.length === 0) throw new DataError({ reason: "Empty", message: `${table.source} holds no rows` })
  const { kind, names, texts, read } = columnReaderOf(columns)
  for (const name of ["labels", "numbers"] as const) {
    const wrong = options[name] === undefined ? undefined : wrongArgument(name, options[name], TEXTS)
    if (wrong !== undefined) throw new DataError({ reason: "BadInput", message: wrong })
  }
  checkColumns(table, [...names, ...options.numbers ?? []])
  const { rows, labels = [], notes: told = [] } = read(table, options)
  if (options.labels !== undefined && JSON.stringify(options.labels) !== JSON.stringify(labels)) {
    const message = `${table.source}: labels are given, but ${kind.name} data takes none: leave them out`
    throw new DataError({ reason: "BadInput", message })
  }
  const notes = [...table.notes ?? [], ...missingNotes(table, texts), ...told]
  const data: Data = {
    kind,
    source: table.source,
    unit: table.unit,
    labels,
    rows: withNumbers(rows, table, options.numbers ?? []),
    ...notes.length === 0 ? {} : { notes },
  }
  return data as DataOf<C>
}

/** The rows, each with its numbers of the columns. */
function withNumbers(rows: ReadonlyArray<DataRow>, table: Table, columns: ReadonlyArray<string>): Data["rows"] {
  if (columns.length === 0) return rows
  const read = columns.map((column) => [column, numbersOf(table, column, "it")] as const)
  const indices = new Map(table.places.map((place, index) => [place, index]))
  const numbersAt = (index: number) => Object.fromEntries(read.map(([column, all]) => [column, all[index]]))
  return rows.map((row) => ({ ...row, numbers: numbersAt(indices.get(row.row)!) }))
}
