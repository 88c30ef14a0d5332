import type { Data } from "./data.ts"
import { rowsError } from "./data_error.ts"

/** What is wrong with half of a character, and what to do. */
export const HALF: { readonly what: string; readonly advice: string } = {
  what: "half of a character (a surrogate without its pair, as an emoji that was cut in two leaves it)",
  advice: "no tokenizer takes it: cut texts between characters, or take the half out",
}

/** Checks rows that no reader made. @throws DataError `Malformed` with all rows that hold half of a character. */
export const checkHalves = (data: Data): void => {
  const bad = data.rows.filter((row) => data.kind.texts(row).some((text) => !text.isWellFormed()))
  if (bad.length === 0) return
  throw rowsError("Malformed", data, bad.map(({ row }) => row), `: ${HALF.what}`, `; ${HALF.advice}`)
}
