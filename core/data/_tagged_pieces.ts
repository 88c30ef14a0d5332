import type { TaggedData } from "./dataset.ts"
import { DataError, listPlaces } from "./data_error.ts"
import { concat, frameOf, type Pieces, unframed } from "./_pieces.ts"
import { MASKED } from "./masked.ts"
import type { Tokenizer } from "./tokenizer.ts"

/**
 * Words one by one, as transformers has them with `is_split_into_words`; the first token of each has its label. Where that
 * would run words together that the tokenizer tells apart in a text, each but the first has the space before it.
 *
 * @throws DataError `EmptyText` for a word without any token.
 */
export const taggedPieces = (data: TaggedData, tokenizer: Tokenizer): ReadonlyArray<Pieces> => {
  const bad: Array<number> = []
  const frame = frameOf(tokenizer, data.rows.map(({ text }) => text))
  const idsOf = (text: string) => tokenizer.encode(text, { addSpecialTokens: false })
  const spaced = runTogether(data, tokenizer)
  const pieces = data.rows.map(({ words: given, labels, row }): Pieces => {
    const parts = given.map((word, index) => idsOf(spaced && index > 0 ? ` ${word}` : word))
    if (parts.some((part) => part.length === 0)) bad.push(row)
    const targets = concat(...parts.map((part, index) => {
      const own = new Int32Array(part.length).fill(MASKED)
      if (part.length > 0) own[0] = labels[index]
      return own
    }))
    const places = concat(...parts.map((part, index) => new Int32Array(part.length).fill(index)))
    const { body, begins, ends } = unframed(concat(...parts), frame)
    const { before, after } = frame
    const from = begins ? before.length : 0
    const [own, words] = [targets, places].map((all) => all.subarray(from, from + body.length))
    return { before, body, after, prompt: 0, targets: own, words, found: { begins, ends, spaced } }
  })
  if (bad.length > 0) {
    const message = `${data.source}: a word without any token in ${listPlaces(data.unit, bad)}`
    throw new DataError({ reason: "EmptyText", message, rows: bad })
  }
  return pieces
}

/** Whether words encoded one by one lose the space between them, which a text of them has. */
const runTogether = ({ rows }: TaggedData, tokenizer: Tokenizer): boolean => {
  const pair = rows.find(({ words }) => words.length > 1)?.words
  if (pair === undefined) return false
  const [first, second, spaced] = [pair[0], pair[1], ` ${pair[1]}`].map((word) =>
    tokenizer.encode(word, { addSpecialTokens: false })
  )
  const apart = (ids: Int32Array) => /\s/.test(tokenizer.decode(ids).trim())
  return !apart(concat(first, second)) && apart(concat(first, spaced))
}
