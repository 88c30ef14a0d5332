import type { Data } from "./data.ts"
import { DataError, listPlaces } from "./data_error.ts"

/** What is wrong with such a text, and what to do. */
export const HALF: { readonly what: string; readonly advice: string } = {
  what: "half of a character (a surrogate without its pair, as an emoji that was cut in two leaves it)",
  advice: "no tokenizer takes it: cut texts between characters, or take the half out",
}

/** Rows may not come from a reader. @throws DataError `Malformed` with all rows that hold half of a character. */
export const checkHalves = ({ kind, rows, source, unit }: Data): void => {
  const bad = rows.filter((row) => kind.texts(row).some((text) => !text.isWellFormed())).map(({ row }) => row)
  if (bad.length === 0) return
  const message = `${source}: ${HALF.what} in ${listPlaces(unit, bad)}; ${HALF.advice}`
  throw new DataError({ reason: "Malformed", message, rows: bad })
}
