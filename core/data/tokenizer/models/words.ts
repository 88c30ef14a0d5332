import { type Fields, tokenizerError } from "../fields.ts"
import { type Model, readVocab } from "./model.ts"

const unknown = (fields: Fields, vocab: ReadonlyMap<string, number>): () => number => {
  const token = fields.string("unk_token")
  const id = vocab.get(token)
  return () => {
    if (id !== undefined) return id
    throw tokenizerError(`${fields.where}: the unknown token ${JSON.stringify(token)} is not in the vocabulary`)
  }
}

/** Whole words alone. */
export const wordLevel = (fields: Fields): Model => {
  const vocab = readVocab(fields)
  const unk = unknown(fields, vocab)
  return { vocab, size: vocab.size, tokenize: (word) => [vocab.get(word) ?? unk()] }
}

/** The longest pieces first, from the left (Schuster and Nakajima 2012). */
export const wordPiece = (fields: Fields): Model => {
  const vocab = readVocab(fields)
  const unk = unknown(fields, vocab)
  const prefix = fields.string("continuing_subword_prefix")
  const longest = fields.count("max_input_chars_per_word")
  const tokenize = (word: string): ReadonlyArray<number> => {
    if (word.length > longest && [...word].length > longest) return [unk()]
    const ids: Array<number> = []
    for (let start = 0; start < word.length;) {
      let end = word.length
      let id: number | undefined
      while (start < end) {
        const piece = word.slice(start, end)
        id = vocab.get(start > 0 ? prefix + piece : piece)
        if (id !== undefined) break
        // Both halves of a character beyond 16 bits go together.
        end -= end - start > 1 && isLow(word.charCodeAt(end - 1)) ? 2 : 1
      }
      if (id === undefined) return [unk()]
      ids.push(id)
      start = end
    }
    return ids
  }
  return { vocab, size: vocab.size, tokenize }
}

/** Whether a code unit is the second half of a character. */
const isLow = (unit: number): boolean => (unit & 0xfc00) === 0xdc00
