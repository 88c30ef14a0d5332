import type { Fields } from "../fields.ts"

/** What cuts a word into tokens of the vocabulary. */
export interface Model {
  /** Ids by token. */
  readonly vocab: ReadonlyMap<string, number>
  /** Number of tokens, which is where the ids of added tokens begin. */
  readonly size: number
  /** Ids of a word's tokens. */
  readonly tokenize: (word: string) => ReadonlyArray<number>
}

/** A vocabulary that is an object of ids by token. */
export const readVocab = (fields: Fields): Map<string, number> => {
  const vocab = new Map(Object.entries(fields.fields("vocab").value) as ReadonlyArray<[string, number]>)
  for (const [token, id] of vocab) {
    if (Number.isInteger(id) && id >= 0) continue
    throw fields.error("vocab", `has no whole number as the id of ${JSON.stringify(token)}`)
  }
  return vocab
}
