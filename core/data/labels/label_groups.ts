import { DataError, listPlaces } from "../data_error.ts"

/** Places of labels, for messages. */
export interface LabelPlaces {
  /** File name or "rows". */
  readonly source: string
  /** The column that holds them. */
  readonly column: string
  /** Unit of the places. */
  readonly unit: "line" | "row"
  /** Place of each label. */
  readonly places: ReadonlyArray<number>
}

/** Distinct labels of a column, with the indices of their cells. */
export type LabelGroups = ReadonlyMap<string, ReadonlyArray<number>>

/** Groups the indices of cells by text, or by key. */
export const groupBy = (
  cells: ReadonlyArray<string>,
  keyOf: (cell: string) => string = (cell) => cell,
): LabelGroups => {
  const groups = new Map<string, Array<number>>()
  cells.forEach((cell, index) => {
    const key = keyOf(cell)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [index])
    else group.push(index)
  })
  return groups
}

/** The error for the labels with these indices. */
export const labelError = (where: LabelPlaces, message: string, indices: Iterable<number>): DataError => {
  const rows = [...new Set(Array.from(indices, (index) => where.places[index]))]
  return new DataError({
    reason: "Label",
    message: `${columnOf(where)}: ${message}`,
    ...rows.length > 0 ? { rows } : {},
  })
}

/** `reviews.csv, column "stars"`. */
export const columnOf = ({ source, column }: LabelPlaces): string => `${source}, column ${JSON.stringify(column)}`

/** `lines 3, 9`: the places of cells, each once. */
export const placesOf = (indices: ReadonlyArray<number>, where: LabelPlaces): string =>
  listPlaces(where.unit, [...new Set(indices.map((index) => where.places[index]))])

/** `"Spam" (lines 3, 9)`, or `"spam" (210 times)` for many. */
export const told = (name: string, indices: ReadonlyArray<number>, where: LabelPlaces): string =>
  `${JSON.stringify(name)} (${
    indices.length === 0 ? "in no row" : indices.length > 5 ? `${indices.length} times` : placesOf(indices, where)
  })`

/** The first few items, and the number of further ones. */
export const firstOf = (items: ReadonlyArray<string>, most = 3, join = "; "): string =>
  items.slice(0, most).join(join) + (items.length > most ? `${join}and ${items.length - most} more` : "")

/** `1 row`, `2 rows`. */
export const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`
