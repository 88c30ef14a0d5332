import { DataError, listPlaces } from "./data_error.ts"

const isInteger = (name: string): boolean => /^[+-]?\d+$/.test(name)

/** Distinct label names in order: numerically when all are numbers, else by code unit. */
export const labelNames = (cells: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names = [...new Set(cells)]
  const numeric = names.every((name) => name !== "" && Number.isFinite(Number(name)))
  return numeric ? names.sort((a, b) => Number(a) - Number(b)) : names.sort((a, b) => (a < b ? -1 : 1))
}

/**
 * Label ids for label cells. A cell is one of `names`; where no name is a number, a cell may also be an id,
 * 0 to `names.length - 1`.
 *
 * @throws DataError `Label` with all rows whose label is unknown or out of range.
 */
export const labelIds = (
  cells: ReadonlyArray<string>,
  names: ReadonlyArray<string>,
  where: { readonly source: string; readonly unit: "line" | "row"; readonly places: ReadonlyArray<number> },
): ReadonlyArray<number> => {
  if (new Set(names).size !== names.length || names.length < 2) {
    const message = `${where.source}: classification needs at least two different labels, got ${JSON.stringify(names)}`
    throw new DataError({ reason: "Label", message })
  }
  const idOf = new Map(names.map((name, id) => [name, id]))
  const idsAllowed = !names.some(isInteger)
  const wrong: Array<number> = []
  const ids = cells.map((cell, index) => {
    const id = idOf.get(cell) ?? (idsAllowed && isInteger(cell) ? Number(cell) : -1)
    if (id < 0 || id >= names.length) wrong.push(index)
    return id
  })
  if (wrong.length > 0) {
    const rows = wrong.map((index) => where.places[index])
    const values = [...new Set(wrong.map((index) => cells[index]))].slice(0, 5).map((value) => JSON.stringify(value))
    const message = `${where.source}: unknown or out-of-range label ${values.join(", ")} in ${
      listPlaces(where.unit, rows)
    }; labels are ${JSON.stringify(names)}${idsAllowed ? ` or 0 to ${names.length - 1}` : ""}`
    throw new DataError({ reason: "Label", message, rows })
  }
  return ids
}
