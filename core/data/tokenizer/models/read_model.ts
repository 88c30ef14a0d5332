import { bpe } from "./bpe.ts"
import { type Fields, tokenizerError } from "../fields.ts"
import type { Model } from "./model.ts"
import { unigram } from "./unigram.ts"
import { wordLevel, wordPiece } from "./words.ts"

const KINDS: Readonly<Record<string, (fields: Fields) => Model>> = {
  BPE: bpe,
  WordPiece: wordPiece,
  WordLevel: wordLevel,
  Unigram: unigram,
}

/** Older files leave the type out; then the fields tell it. */
const guessType = (model: Readonly<Record<string, unknown>>): string | undefined =>
  "merges" in model
    ? "BPE"
    : Array.isArray(model.vocab)
    ? "Unigram"
    : "continuing_subword_prefix" in model
    ? "WordPiece"
    : "vocab" in model && "unk_token" in model
    ? "WordLevel"
    : undefined

/** The model of a tokenizer.json. */
export const readModel = (fields: Fields): Model => {
  const type = fields.any("type") ?? guessType(fields.value)
  const kind = typeof type === "string" ? KINDS[type] : undefined
  if (kind === undefined) {
    throw tokenizerError(
      `${fields.where}: type ${JSON.stringify(type ?? null)} is not known; known: ${Object.keys(KINDS).join(", ")}`,
    )
  }
  const model = kind(fields)
  fields.done()
  return { ...model, tokenize: remember(model.tokenize) }
}

/** Words of more characters are seldom seen twice. */
const LONGEST_REMEMBERED = 64
const MOST_REMEMBERED = 1 << 16

const remember = (tokenize: Model["tokenize"]): Model["tokenize"] => {
  let known = new Map<string, ReadonlyArray<number>>()
  return (word) => {
    const before = known.get(word)
    if (before !== undefined) return before
    const ids = tokenize(word)
    if (word.length <= LONGEST_REMEMBERED) {
      if (known.size >= MOST_REMEMBERED) known = new Map()
      known.set(word, ids)
    }
    return ids
  }
}
