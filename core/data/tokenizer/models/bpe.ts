import { type Fields, tokenizerError } from "../fields.ts"
import { Heap } from "./heap.ts"
import { type Model, readVocab } from "./model.ts"
import { PairTable } from "./pair_table.ts"
import { bytesOf } from "../unicode.ts"

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
  const [fuse, byteFallback, whole] = [flag("fuse_unk"), flag("byte_fallback"), flag("ignore_merges")]
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
      const bytes = byteFallback ? byteIds(symbol, vocab) : undefined
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
    const symbols = symbolsOf(word)
    return symbols.length < SHORT ? mergeShort(symbols, merges) : mergeLong(symbols, merges)
  }
  return { vocab, size: vocab.size, tokenize }
}

/** Ids of a text's bytes; undefined unless all are in the vocabulary. */
export const byteIds = (text: string, vocab: ReadonlyMap<string, number>): ReadonlyArray<number> | undefined => {
  const ids: Array<number> = []
  for (const byte of bytesOf(text)) {
    const id = vocab.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`)
    if (id === undefined) return undefined
    ids.push(id)
  }
  return ids
}

interface Merges {
  /** Ranks by pair of ids. */
  readonly ranks: PairTable
  /** What a merge makes, by rank. */
  readonly made: Int32Array
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

/** Up to this many symbols, looking at all pairs is faster than a heap. */
const SHORT = 24

const mergeShort = (symbols: Array<number>, { ranks, made }: Merges): ReadonlyArray<number> => {
  let size = symbols.length
  if (size < 2) return symbols
  const pairs: Array<number> = []
  for (let at = 0; at + 1 < size; at++) pairs.push(ranks.get(symbols[at], symbols[at + 1]))
  while (true) {
    let best = -1
    for (let at = 0; at + 1 < size; at++) if (pairs[at] >= 0 && (best < 0 || pairs[at] < pairs[best])) best = at
    if (best < 0) break
    symbols[best] = made[pairs[best]]
    size--
    for (let at = best + 1; at < size; at++) symbols[at] = symbols[at + 1]
    for (let at = best; at + 1 < size; at++) pairs[at] = pairs[at + 1]
    if (best > 0) pairs[best - 1] = ranks.get(symbols[best - 1], symbols[best])
    if (best + 1 < size) pairs[best] = ranks.get(symbols[best], symbols[best + 1])
  }
  symbols.length = size
  return symbols
}

/** Ranks and positions fit one number. */
const PLACES = 2 ** 28

const mergeLong = (symbols: Array<number>, { ranks, made }: Merges): ReadonlyArray<number> => {
  const size = symbols.length
  const next = Int32Array.from(symbols, (_, at) => at + 1)
  const previous = Int32Array.from(symbols, (_, at) => at - 1)
  const heap = new Heap<number>((a, b) => a < b)
  const offer = (at: number): void => {
    if (at < 0 || next[at] >= size) return
    const rank = ranks.get(symbols[at], symbols[next[at]])
    if (rank >= 0) heap.push(rank * PLACES + at)
  }
  for (let at = 0; at < size; at++) offer(at)
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const rank = Math.floor(top / PLACES)
    const at = top - rank * PLACES
    if (symbols[at] < 0 || next[at] >= size) continue
    const right = next[at]
    const now = ranks.get(symbols[at], symbols[right])
    if (now < 0 || made[now] !== made[rank]) continue
    symbols[at] = made[rank]
    symbols[right] = -1
    next[at] = next[right]
    if (next[at] < size) previous[next[at]] = at
    offer(previous[at])
    offer(at)
  }
  return symbols.filter((id) => id >= 0)
}
