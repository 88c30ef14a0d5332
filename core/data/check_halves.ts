import type { Data } from "./data.ts"
import { DataError, listPlaces } from "./data_error.ts"
import { HALF } from "./half_characters.ts"

/** Checks rows that no reader made. @throws DataError `Malformed` with all rows that hold half of a character. */
export const checkHalves = ({ kind, rows, source, unit }: Data): void => {
  const bad = rows.filter((row) => kind.texts(row).some((text) => !text.isWellFormed())).map(({ row }) => row)
  if (bad.length === 0) return
  const message = `${source}: ${HALF.what} in ${listPlaces(unit, bad)}; ${HALF.advice}`
  throw new DataError({ reason: "Malformed", message, rows: bad })
}
