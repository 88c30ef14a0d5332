import { assert, assertEquals } from "@std/assert"
import { textAfter } from "../../../../core/inference/generate.ts"
import { textPieces } from "../../../../core/inference/text/text_pieces.ts"
import type { Tokenizer } from "../../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../../core/data/tokenizer/tokenizer_of.ts"
import { makeRng } from "../../../../core/tensor/operations/random.ts"
import { tokenizer as byteLevel } from "../../data/support.ts"

const byte = (value: number) => `<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`

/** Metaspace and bytes for what the vocabulary lacks, as the first models of that kind have it; ids 3 to 258 are bytes. */
const byteFallback: Tokenizer = tokenizerOf({
  version: "1.0",
  added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => ({ id, content, special: true, normalized: false })),
  normalizer: null,
  pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false },
  post_processor: null,
  decoder: {
    type: "Sequence",
    decoders: [
      { type: "Replace", pattern: { String: "▁" }, content: " " },
      { type: "ByteFallback" },
      { type: "Fuse" },
      { type: "Strip", content: " ", start: 1, stop: 0 },
    ],
  },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: "<unk>",
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: true,
    vocab: Object.fromEntries(
      ["<unk>", "<s>", "</s>", ...Array.from({ length: 256 }, (_, i) => byte(i)), "▁", "▁the", "cat", ".", "s"]
        .map((token, id) => [token, id]),
    ),
    merges: [],
  },
})

/** Texts are cleaned up: " n", "'", "t" become "n't", and " ." a point. */
const cleaning: Tokenizer = {
  ...byteLevel,
  token: () => undefined,
  decode: (ids) =>
    Array.from(ids, (id) => [" do", " n", "'", "t", " .", " a"][id % 6]).join("").replaceAll(" .", ".")
      .replaceAll(" n't", "n't"),
}

const piecesOf = (tokenizer: Tokenizer, prompt: ReadonlyArray<number>, made: ReadonlyArray<number>) => {
  const pieces = textPieces(tokenizer, prompt)
  return [...made.map(pieces.add), pieces.end()]
}

Deno.test("joined, pieces are the text of all tokens, and none has a part of a character", () => {
  const text = "Ünïcode 😀😀 and 漢字, don't — 👩‍👩‍👧 é\n\n\tend."
  for (const [name, tokenizer, fewest] of [["bytes", byteLevel, 25], ["fallback", byteFallback, 4]] as const) {
    const [prompt, made] = [tokenizer.encode("the"), tokenizer.encode(text)].map((ids) => [...ids])
    const pieces = piecesOf(tokenizer, prompt, made)
    assertEquals(pieces.join(""), textAfter(tokenizer, prompt, made), name)
    assert(pieces.every((piece) => piece.isWellFormed() && !piece.includes("\ufffd")), name)
    assert(pieces.filter((piece) => piece !== "").length >= fewest, name)
  }
})

Deno.test("the same for any tokens: halves of characters, text that a later token changes, long texts", () => {
  const { integer } = (() => {
    const { float } = makeRng(1, 0)
    return { integer: (below: number) => Math.floor(float() * below) }
  })()
  for (const tokenizer of [byteLevel, byteFallback, cleaning]) {
    for (let round = 0; round < 40; round++) {
      const ids = (length: number) => Array.from({ length }, () => integer(tokenizer.vocabSize))
      const [prompt, made] = [ids(1 + integer(40)), ids(integer(round < 30 ? 30 : 400))]
      const pieces = piecesOf(tokenizer, prompt, made)
      assertEquals(pieces.join(""), textAfter(tokenizer, prompt, made), `${prompt}: ${made}`)
      assert(pieces.every((piece) => piece.isWellFormed()))
    }
  }
})

Deno.test("what is certain comes two tokens later at most, and each token decodes a short text", () => {
  let most = 0
  const tokenizer: Tokenizer = {
    ...byteLevel,
    decode: (ids) => {
      most = Math.max(most, ids.length)
      return byteLevel.decode(ids)
    },
  }
  const made = Array.from({ length: 50 }, () => [...byteLevel.encode("see you at the station. ")]).flat()
  const pieces = textPieces(tokenizer, byteLevel.encode("Ok"))
  let text = ""
  made.forEach((token, i) => {
    text += pieces.add(token)
    if (i >= 2) assertEquals(text, byteLevel.decode(made.slice(0, i - 1)))
  })
  assert(made.length > 400 && most < 100, `${made.length} ${most}`)
})
