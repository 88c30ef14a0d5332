import type { Found } from "./pieces/pieces.ts"
import type { Data } from "./data.ts"
import { listPlaces } from "./data_error.ts"
import type { Encoded } from "./encode.ts"
import type { Tokenizer } from "./tokenizer/tokenizer.ts"

/** Notes about the encoding of a data set. */
export const notesOf = (
  { source, unit, rows }: Data,
  { examples, found }: Pick<Encoded, "examples" | "found">,
  tokenizer: Tokenizer,
): ReadonlyArray<string> => {
  const notes: Array<string> = []
  const tell = (test: (found: Found) => boolean | undefined, note: (rows: string) => string) => {
    const places = found.filter(test).map(({ row }) => row)
    if (places.length === 0) return
    const texts = `${places.length} of ${rows.length} texts`
    notes.push(`${source}: ${note(texts)} (${listPlaces(unit, places)})`)
  }
  const tokens = examples[0]?.tokens ?? []
  const [begin, end] = [tokens.at(0), tokenizer.eosId ?? tokens.at(-1)].map((id) => tokenizer.token(id ?? -1))
  tell(({ begins }) => begins, (texts) => `${texts} begin with ${begin} themselves, which is not doubled`)
  tell(({ ends }) => ends, (texts) => `${texts} end in ${end} themselves, which is not doubled`)
  tell(
    ({ endless }) => endless,
    (texts) =>
      `${texts} have no end token, since the tokenizer names none, so the model does not learn where to stop; ` +
      "name one (eos_token in tokenizer_config.json), or write it into the data",
  )
  const spelled = [...new Set(found.flatMap(({ within = [] }) => within))]
  const more = spelled.length > 5 ? ` and ${spelled.length - 5} more` : ""
  tell(
    ({ within = [] }) => within.length > 0,
    (texts) => `${texts} spell special tokens (${spelled.slice(0, 5).join(", ")}${more}), which are read as such`,
  )
  tell(
    ({ moved }) => moved,
    (texts) =>
      `${texts} have a prompt that ends in other tokens when its completion follows; a token that holds the end of the ` +
      "prompt and the start of the completion is trained on. A space between belongs at the start of the completion",
  )
  tell(
    ({ spaced }) => spaced,
    (texts) =>
      `${texts} have words that the tokenizer runs together where they come one by one, so each but the first is encoded ` +
      "with the space before it, as within a text",
  )
  return notes
}
