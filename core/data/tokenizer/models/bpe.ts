import { type Fields, tokenizerError } from "../fields.ts"
import { merge, type Merges } from "./merge.ts"
import { type Model, readVocab } from "./model.ts"
import { PairTable } from "./pair_table.ts"
import { remembered } from "../text/remembered.ts"
import { bytesOf } from "../text/unicode.ts"

/** Byte-pair encoding (Sennrich et al. 2016), with all that a tokenizer.json may ask of it. */
export const bpe = (fields: Fields): Model => {
  const vocab = readVocab(fields)
  const dropout = fields.any("dropout") ?? 0
  if (dropout !== 0) throw fields.error("dropout", `is ${JSON.stringify(dropout)}: ids by chance are not known here`)
  const text = (name: string) => fields.optional(name, fields.string) ?? ""
  const unkToken = fields.optional("unk_token", fields.string)
  const prefix = text("continuing_subword_prefix")
  const suffix = text("end_of_word_suffix")
  const flag = (name: string) => fields.optional(name, fields.boolean) ?? false
  const [fuse, whole] = [flag("fuse_unk"), flag("ignore_merges")]
  const bytesIn = flag("byte_fallback") ? byteIds(vocab) : undefined
  const merges = readMerges(fields, vocab, prefix)
  const unkId = unkToken === undefined ? undefined : vocab.get(unkToken)
  const missing = (symbol: string) =>
    tokenizerError(
      unkToken === undefined
        ? `${fields.where} has no id for ${JSON.stringify(symbol)} and no unknown token`
        : `${fields.where} has no id for ${JSON.stringify(symbol)}, nor for the unknown token ${
          JSON.stringify(unkToken)
        }`,
    )

  const symbolsOf = (word: string): Array<number> => {
    const ids: Array<number> = []
    // The unknown token waits for what follows, as in the reference: bytes go before it.
    let waiting = false
    let at = 0
    for (const character of word) {
      const symbol = (at > 0 ? prefix : "") + character + (at + character.length === word.length ? suffix : "")
      at += character.length
      const id = vocab.get(symbol)
      if (id !== undefined) {
        if (waiting) ids.push(unkId!)
        waiting = false
        ids.push(id)
        continue
      }
      const bytes = bytesIn?.(symbol)
      if (bytes !== undefined) ids.push(...bytes)
      else if (unkId === undefined) throw missing(symbol)
      else {
        if (waiting && !fuse) ids.push(unkId)
        waiting = true
      }
    }
    if (waiting) ids.push(unkId!)
    return ids
  }

  const tokenize = (word: string): ReadonlyArray<number> => {
    const id = whole ? vocab.get(word) : undefined
    if (id !== undefined) return [id]
    return merge(symbolsOf(word), merges)
  }
  return { vocab, size: vocab.size, tokenize }
}

/** Ids of a text's bytes; undefined unless all are in the vocabulary. */
export const byteIds = (vocab: ReadonlyMap<string, number>): (text: string) => ReadonlyArray<number> | undefined => {
  const nameOf = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`
  const ids = Array.from({ length: 256 }, (_, byte) => vocab.get(nameOf(byte)))
  return remembered((text) => {
    const found = Array.from(bytesOf(text), (byte) => ids[byte])
    return found.some((id) => id === undefined) ? undefined : found as Array<number>
  })
}

/** Merges are pairs, or texts with one space in older files. */
const readMerges = (fields: Fields, vocab: ReadonlyMap<string, number>, prefix: string): Merges => {
  const list = fields.list("merges")
  const ranks = new PairTable(list.length)
  const made = new Int32Array(list.length)
  const idOf = (token: string): number => {
    const id = vocab.get(token)
    if (id !== undefined) return id
    throw fields.error("merges", `makes or takes ${JSON.stringify(token)}, which is not in the vocabulary`)
  }
  list.forEach((merge, rank) => {
    const pair = typeof merge === "string" ? merge.split(" ") : merge
    if (!Array.isArray(pair) || pair.length !== 2 || pair.some((part) => typeof part !== "string")) {
      throw fields.error("merges", `has ${JSON.stringify(merge)} at ${rank}; a merge is two texts`)
    }
    made[rank] = idOf(pair[0] + pair[1].slice(prefix.length))
    ranks.set(idOf(pair[0]), idOf(pair[1]), rank)
  })
  return { ranks, made }
}
