/**
 * Trains a byte-level byte-pair encoding (Sennrich et al. 2016; on bytes, Radford et al. 2019) and writes it as a
 * Hugging Face `tokenizer.json`.
 *
 * ```ts
 * import { trainBpe } from "@espalier/espalier/train-tokenizer"
 *
 * const { model } = trainBpe(["to be or not to be"], { vocabSize: 260 })
 * console.log(model.model.merges)
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { StorageError } from "../../../formats/files/storage_error.ts"
import { writeFileWhole } from "../../../formats/files/whole_file.ts"
import { DataError } from "../../data_error.ts"
import { Heap } from "../models/heap.ts"
import { BYTE_CHARACTERS } from "../text/unicode.ts"

/** What is trained. */
export interface TrainBpeOptions {
  /** Ids in all: special tokens, the 256 bytes, and merges up to this many (fewer when the text runs out of pairs). */
  readonly vocabSize: number
  /** Tokens that stand for themselves; they get the first ids. Default `["<|endoftext|>", "<|pad|>"]`. */
  readonly specialTokens?: ReadonlyArray<string>
  /** Which special token ends a text. Default: the first. */
  readonly eosToken?: string
  /** Which special token fills up rows. Default: the last. */
  readonly padToken?: string
  /** A pair that is rarer is not merged. Default 2. */
  readonly minFrequency?: number
}

/** A trained tokenizer: the contents of the two files that a model's directory holds. */
export interface TrainedTokenizer {
  /** Contents of `tokenizer.json`. */
  readonly model: TokenizerJson
  /** Contents of `tokenizer_config.json`. */
  readonly config: Readonly<Record<string, string | boolean>>
}

/** A Hugging Face `tokenizer.json` with a byte-level encoding: every byte has a token, and every text keeps its bytes. */
export interface TokenizerJson {
  /** Special tokens. */
  readonly added_tokens: ReadonlyArray<Readonly<Record<string, string | number | boolean>>>
  /** The encoding, with its settings. */
  readonly model: {
    /** Token to id. */
    readonly vocab: Readonly<Record<string, number>>
    /** Pairs to merge, the first ones first. */
    readonly merges: ReadonlyArray<readonly [string, string]>
    /** Settings of the format. */
    readonly [setting: string]: unknown
  }
  /** Further parts of the format. */
  readonly [part: string]: unknown
}

/** How a text is split into words, which no merge crosses: the `ByteLevel` pre-tokenizer's expression. */
const WORDS: RegExp = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

/**
 * Trains on texts. Deterministic: of equally frequent pairs the one of the smaller ids is merged first.
 *
 * @throws DataError `BadInput` when the vocabulary is too small for bytes and special tokens, or a special token is wrong.
 */
export const trainBpe = (texts: Iterable<string>, options: TrainBpeOptions): TrainedTokenizer => {
  const { vocabSize, specialTokens = ["<|endoftext|>", "<|pad|>"], minFrequency = 2 } = options
  const { eosToken = specialTokens[0], padToken = specialTokens.at(-1) } = options
  checkOptions(vocabSize, specialTokens, [eosToken, padToken])
  const tokens = [...specialTokens, ...BYTE_CHARACTERS.toSorted()]
  const idOf = new Map(tokens.map((token, id) => [token, id]))
  const merges: Array<readonly [string, string]> = []
  const { words, counts } = countWords(texts, idOf)
  const pairCounts = new Map<number, number>()
  const pairWords = new Map<number, Array<number>>()
  const count = (word: number, sign: 1 | -1, changed?: Set<number>) => {
    const ids = words[word]
    for (let at = 0; at + 1 < ids.length; at++) {
      const key = ids[at] * PAIR + ids[at + 1]
      pairCounts.set(key, (pairCounts.get(key) ?? 0) + sign * counts[word])
      if (sign < 0) continue
      const holders = pairWords.get(key)
      if (holders === undefined) pairWords.set(key, [word])
      else if (holders.at(-1) !== word) holders.push(word)
      changed?.add(key)
    }
  }
  words.forEach((_, word) => count(word, 1))
  // Of pairs as frequent, the one of the smaller ids comes first.
  const heap = new Heap<Counted>((a, b) => a.count > b.count || (a.count === b.count && a.key < b.key))
  for (const [key, count] of pairCounts) heap.push({ key, count })
  while (tokens.length < vocabSize) {
    const top = heap.pop()
    if (top === undefined) break
    const total = pairCounts.get(top.key) ?? 0
    if (top.count !== total) {
      // Counts that fell since are put right here; those that rose were pushed anew.
      if (total < top.count && total > 0) heap.push({ key: top.key, count: total })
      continue
    }
    if (total < minFrequency) break
    const first = Math.floor(top.key / PAIR)
    const second = top.key % PAIR
    const token = tokens[first] + tokens[second]
    merges.push([tokens[first], tokens[second]])
    // Two ways of merging may spell the same token.
    const merged = idOf.get(token) ?? tokens.push(token) - 1
    idOf.set(token, merged)
    const changed = new Set<number>()
    for (const word of pairWords.get(top.key) ?? []) {
      const ids = words[word]
      const shorter = mergePair(ids, first, second, merged)
      if (shorter.length === ids.length) continue
      count(word, -1)
      words[word] = shorter
      count(word, 1, changed)
    }
    pairWords.delete(top.key)
    pairCounts.delete(top.key)
    for (const key of changed) heap.push({ key, count: pairCounts.get(key) ?? 0 })
  }
  return toFiles(tokens, merges, specialTokens, eosToken, padToken)
}

/** Writes `tokenizer.json` and `tokenizer_config.json` into a directory, which must be there. */
export const saveTokenizer = (
  directory: string,
  trained: TrainedTokenizer,
): Effect.Effect<void, StorageError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const contents = { "tokenizer.json": trained.model, "tokenizer_config.json": trained.config }
    for (const [name, content] of Object.entries(contents)) {
      yield* writeFileWhole(`${directory}/${name}`, JSON.stringify(content, null, 1) + "\n")
    }
  })

/** A pair of ids as one number. */
const PAIR = 2 ** 24

/** A pair, and how often it occurs. */
interface Counted {
  readonly key: number
  readonly count: number
}

const checkOptions = (
  vocabSize: number,
  specialTokens: ReadonlyArray<string>,
  named: ReadonlyArray<string | undefined>,
): void => {
  const least = specialTokens.length + 256
  if (!Number.isInteger(vocabSize) || vocabSize < least || vocabSize >= PAIR) {
    const message = `vocabSize must be a whole number from ${least} (256 bytes and special tokens), got ${vocabSize}`
    throw new DataError({ reason: "BadInput", message })
  }
  const wrong = specialTokens.find((token, at) => token.length < 2 || specialTokens.indexOf(token) !== at)
  if (wrong !== undefined) {
    const message = `special token ${JSON.stringify(wrong)} is there twice or shorter than two characters`
    throw new DataError({ reason: "BadInput", message })
  }
  const unknown = named.find((token) => token === undefined || !specialTokens.includes(token))
  if (unknown !== undefined) {
    const message = `${JSON.stringify(unknown)} is not among the special tokens ${JSON.stringify(specialTokens)}`
    throw new DataError({ reason: "BadInput", message })
  }
}

const countWords = (texts: Iterable<string>, idOf: ReadonlyMap<string, number>) => {
  const frequencies = new Map<string, number>()
  for (const text of texts) {
    for (const word of text.match(WORDS) ?? []) frequencies.set(word, (frequencies.get(word) ?? 0) + 1)
  }
  const byteIds = BYTE_CHARACTERS.map((character) => idOf.get(character)!)
  const encoder = new TextEncoder()
  const words = Array.from(
    frequencies.keys(),
    (word): ReadonlyArray<number> => Array.from(encoder.encode(word), (byte) => byteIds[byte]),
  )
  return { words, counts: [...frequencies.values()] }
}

const mergePair = (
  ids: ReadonlyArray<number>,
  first: number,
  second: number,
  merged: number,
): ReadonlyArray<number> => {
  const shorter: Array<number> = []
  for (let at = 0; at < ids.length; at++) {
    if (ids[at] === first && ids[at + 1] === second) {
      shorter.push(merged)
      at++
    } else shorter.push(ids[at])
  }
  return shorter
}

const toFiles = (
  tokens: ReadonlyArray<string>,
  merges: ReadonlyArray<readonly [string, string]>,
  specialTokens: ReadonlyArray<string>,
  eosToken: string | undefined,
  padToken: string | undefined,
): TrainedTokenizer => {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true }
  const model: TokenizerJson = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => (
      { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
    )),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    ...(eosToken === undefined ? {} : { eos_token: eosToken }),
    ...(padToken === undefined ? {} : { pad_token: padToken }),
  }
  return { model, config }
}
