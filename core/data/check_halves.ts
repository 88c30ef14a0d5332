import type { Data } from "./data.ts"
import { rowsError } from "./data_error.ts"
import { HALF } from "./half_characters.ts"

/** Checks rows that no reader made. @throws DataError `Malformed` with all rows that hold half of a character. */
export const checkHalves = (data: Data): void => {
  const bad = data.rows.filter((row) => data.kind.texts(row).some((text) => !text.isWellFormed()))
  if (bad.length === 0) return
  throw rowsError("Malformed", data, bad.map(({ row }) => row), `: ${HALF.what}`, `; ${HALF.advice}`)
}
