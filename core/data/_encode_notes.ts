import type { Found, Pieces } from "./_pieces.ts"
import { listPlaces } from "./data_error.ts"
import type { Data } from "./dataset.ts"
import type { Tokenizer } from "./tokenizer.ts"

/** What a person should know of how the rows of a data set became token ids. */
export const notesOf = (
  { source, unit, rows }: Data,
  pieces: ReadonlyArray<Pieces>,
  tokenizer: Tokenizer,
): ReadonlyArray<string> => {
  const notes: Array<string> = []
  const tell = (test: (found: Found) => boolean | undefined, note: (texts: string, all: boolean) => string) => {
    const places = rows.filter((_, index) => test(pieces[index].found)).map(({ row }) => row)
    if (places.length === 0) return
    const all = places.length === rows.length
    const count = all && rows.length > 1 ? "all" : String(places.length)
    notes.push(`${source}: ${note(`${count} of ${rows.length} rows`, all)} (${listPlaces(unit, places)})`)
  }
  const [{ before, after }] = pieces
  const { eosId } = tokenizer
  const end = eosId === undefined || after.length > 0 ? tokenizer.decode(after) : tokenizer.token(eosId)
  tell(({ begins }) => begins, (rows) => `${rows} begin with ${tokenizer.decode(before)} themselves: it is not doubled`)
  tell(({ ends }) => ends, (rows) => `${rows} end in ${end} themselves: it is not doubled`)
  tell(
    ({ endless }) => endless,
    (rows) =>
      `${rows} have no end token, since the tokenizer names none, so the model does not learn where to stop; ` +
      "name one (eos_token in tokenizer_config.json), or write it into the data",
  )
  const spelled = [...new Set(pieces.flatMap(({ found }) => found.within ?? []))]
  const more = spelled.length > 5 ? ` and ${spelled.length - 5} more` : ""
  tell(
    ({ within = [] }) => within.length > 0,
    (rows) => `${rows} spell special tokens (${spelled.slice(0, 5).join(", ")}${more}), which are read as such`,
  )
  tell(
    ({ moved }) => moved,
    (rows) =>
      `${rows} have a prompt that ends in other tokens when its completion follows; a token that holds the end of the ` +
      "prompt and the start of the completion is trained on. A space between belongs at the start of the completion",
  )
  return notes
}
