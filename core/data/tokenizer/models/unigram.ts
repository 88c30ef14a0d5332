import { byteIds } from "./bpe.ts"
import { type Fields, tokenizerError } from "../fields.ts"
import type { Model } from "./model.ts"
import { PairTable } from "./pair_table.ts"

/** How much less likely an unknown character is than the least likely token. */
const UNKNOWN_PENALTY = 10

/** The most likely cut of a text (Kudo 2018, as SentencePiece has it). */
export const unigram = (fields: Fields): Model => {
  const list = fields.list("vocab") as ReadonlyArray<readonly [string, number]>
  const unkId = fields.optional("unk_id", fields.count)
  const byteFallback = fields.optional("byte_fallback", fields.boolean) ?? false
  if (unkId !== undefined && unkId >= list.length) throw fields.error("unk_id", `is ${unkId}: no such token`)
  const vocab = new Map<string, number>()
  let least = Infinity
  list.forEach((entry, id) => {
    if (!Array.isArray(entry) || typeof entry[0] !== "string" || typeof entry[1] !== "number") {
      throw fields.error("vocab", `has ${JSON.stringify(entry)} at ${id}; an entry is a token and a number`)
    }
    vocab.set(entry[0], id)
    least = Math.min(least, entry[1])
  })
  const bytesIn = byteFallback ? byteIds(vocab) : undefined
  const trie = new Trie(vocab)
  const unkScore = least - UNKNOWN_PENALTY
  const unk = (): number => {
    if (unkId !== undefined) return unkId
    throw tokenizerError(`${fields.where} has no id for a character and no unk_id`)
  }

  /** The best way to each position: where its last token begins, and the id; unknown ones count as `unk`. */
  const bestCut = (text: string) => {
    const size = text.length
    const scores = new Float64Array(size + 1)
    const starts = new Int32Array(size + 1).fill(-1)
    const ids = new Int32Array(size + 1)
    const offer = (start: number, end: number, score: number, id: number): void => {
      const whole = score + scores[start]
      if (starts[end] >= 0 && whole <= scores[end]) return
      scores[end] = whole
      starts[end] = start
      ids[end] = id
    }
    for (let start = 0; start < size;) {
      const character = text.codePointAt(start)! > 0xffff ? 2 : 1
      let single = false
      trie.prefixes(text, start, (end, id) => {
        offer(start, end, list[id][1], id)
        single ||= end - start === character
      })
      if (!single) offer(start, start + character, unkScore, unk())
      start += character
    }
    return { starts, ids }
  }

  const tokenize = (text: string): ReadonlyArray<number> => {
    const { starts, ids } = bestCut(text)
    const tokens: Array<ReadonlyArray<number>> = []
    for (let end = text.length; end > 0;) {
      let start = starts[end]
      if (ids[end] !== unkId) tokens.push([ids[end]])
      else {
        // Unknown characters side by side are one piece.
        while (start > 0 && ids[start] === unkId) start = starts[start]
        const piece = text.slice(start, end)
        const known = vocab.get(piece)
        tokens.push(known !== undefined ? [known] : bytesIn?.(piece) ?? [unkId])
      }
      end = start
    }
    return tokens.reverse().flat()
  }
  return { vocab, size: list.length, tokenize }
}

/** Tokens by their characters. */
class Trie {
  readonly #steps: PairTable
  readonly #ids: Array<number> = [-1]

  constructor(vocab: ReadonlyMap<string, number>) {
    this.#steps = new PairTable(vocab.size * 2)
    for (const [token, id] of vocab) {
      let node = 0
      for (let at = 0; at < token.length; at++) {
        const unit = token.charCodeAt(at)
        let to = this.#steps.get(node, unit)
        if (to < 0) {
          to = this.#ids.length
          this.#ids.push(-1)
          this.#steps.set(node, unit, to)
        }
        node = to
      }
      if (node > 0) this.#ids[node] = id
    }
  }

  /** Calls `found` with the end and id of each token that begins at `start`, the shortest first. */
  prefixes(text: string, start: number, found: (end: number, id: number) => void): void {
    let node = 0
    for (let at = start; at < text.length; at++) {
      node = this.#steps.get(node, text.charCodeAt(at))
      if (node < 0) return
      if (this.#ids[node] >= 0) found(at + 1, this.#ids[node])
    }
  }
}
