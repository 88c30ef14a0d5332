import { tokenizerError } from "../../tokenizer/fields.ts"
import type { Vocabulary } from "./vocabulary.ts"

type Json = Readonly<Record<string, unknown>>

const MARK = "\u2581"

/** Parts of a tokenizer.json for the pieces of SentencePiece's byte-pair encoding. */
export function sentencePieces({ tokens, fields, named }: Vocabulary): Json & { readonly addsBos: boolean } {
  const scores = fields.list("tokenizer.ggml.scores") as ReadonlyArray<number>
  if (scores.length !== tokens.length) {
    throw tokenizerError(`${fields.where}: ${tokens.length} tokens have ${scores.length} scores`)
  }
  const space = fields.boolean("tokenizer.ggml.add_space_prefix", true)
  if (fields.boolean("tokenizer.ggml.remove_extra_whitespaces", false)) {
    throw fields.error("tokenizer.ggml.remove_extra_whitespaces", "is true, which is not known for this kind")
  }
  const replaced = { type: "Replace", pattern: { String: " " }, content: MARK }
  return {
    addsBos: true,
    normalizer: space ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: MARK }, replaced] } : replaced,
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: MARK }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(space ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: named.get("unk") ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: mergesOf(tokens, scores),
    },
  }
}

/** A merge of two tokens into a third, and its score. */
interface Merge {
  readonly pair: readonly [string, string]
  readonly score: number
  readonly ids: readonly [number, number]
}

/** The merges that scores stand for: any two tokens that are one together, the highest score first. */
function mergesOf(
  tokens: ReadonlyArray<string>,
  scores: ReadonlyArray<number>,
): ReadonlyArray<readonly [string, string]> {
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const merges: Array<Merge> = []
  tokens.forEach((token, id) => {
    for (let cut = 1; cut < token.length; cut++) {
      const pair = [token.slice(0, cut), token.slice(cut)] as const
      const [left, right] = [ids.get(pair[0]), ids.get(pair[1])]
      if (left !== undefined && right !== undefined) merges.push({ pair, score: scores[id], ids: [left, right] })
    }
  })
  merges.sort((a, b) => b.score - a.score || a.ids[0] - b.ids[0] || a.ids[1] - b.ids[1])
  return merges.map(({ pair }) => pair)
}
