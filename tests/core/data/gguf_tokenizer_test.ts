import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { tokenizerFiles } from "../../../core/data/tokenizer_files/gguf/gguf_tokenizer.ts"
import { layer as families } from "../../../core/model/load/families.ts"
import { registeredTokenizers } from "../../../core/weights/gguf/gguf_tokenizers.ts"
import { tokenizers } from "../../../plugins/llama/gguf/tokenizers.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import { valuesOf } from "../../plugins/llama/gguf_files.ts"
import { fixture } from "../../support/model_layer.ts"

type Json = Readonly<Record<string, unknown>>

/** A tokenizer.json as far as it is looked at here. */
interface TokenizerJson {
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>
    readonly merges: ReadonlyArray<string | ReadonlyArray<string>>
  }
  readonly added_tokens: ReadonlyArray<{ readonly id: number; readonly content: string; readonly special: boolean }>
}

const read = (path: string) => JSON.parse(Deno.readTextFileSync(path))

/** Metadata for a tokenizer.json, as llama.cpp's converter writes it. */
function converted({ model: { vocab, merges }, added_tokens: added }: TokenizerJson, own: Json): Json {
  const tokens: string[] = []
  for (const [token, id] of Object.entries(vocab)) tokens[id] = token
  for (const { id, content } of added) tokens[id] = content
  const types: number[] = tokens.map((token) => /^<0x[0-9A-F]{2}>$/.test(token) ? 6 : 1)
  for (const { id, special } of added) types[id] = special ? 3 : 4
  // Pieces have scores in the place of merges: the later a token is made, the lower.
  const rank = new Map(
    merges.map((merge, at) => [typeof merge === "string" ? merge.replace(" ", "") : merge.join(""), at]),
  )
  const record: Json = {
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": types,
    ...(own["tokenizer.ggml.model"] === "llama"
      ? { "tokenizer.ggml.scores": tokens.map((token) => rank.has(token) ? -rank.get(token)! - 0.5 : -1e6) }
      : { "tokenizer.ggml.merges": merges.map((merge) => typeof merge === "string" ? merge : merge.join(" ")) }),
    ...own,
  }
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}

const fromGguf = (record: Json): Tokenizer => {
  const files = tokenizerFiles(valuesOf(record), "m.gguf", tokenizers)
  return tokenizerOf(files["tokenizer.json"], files["tokenizer_config.json"], "m.gguf")
}

const NONE = { kinds: {}, cuts: {} }

const failureOf = (use: () => unknown): string => {
  try {
    use()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error("It was not refused")
}

const refused = (record: Json): string => failureOf(() => fromGguf(record))

const byteLevel = (pre: string, own: Json = {}): Json => ({
  "tokenizer.ggml.model": "gpt2",
  "tokenizer.ggml.pre": pre,
  ...own,
})

const TEXTS = [
  "",
  " ",
  "Hello  world, it's 12345 o'clock!",
  "\n\n  two\tlines \r\n",
  "na\u00efve cafe\u0301 \ufb01 \u{1f642}",
  "\u3053\u3093\u306b\u3061\u306f",
  "<|endoftext|>a<s>b</s> <|im_start|>",
  "IT'S 3.14  x",
]

/** Ids and texts of both, for all texts. */
const compare = (ours: Tokenizer, theirs: Tokenizer, texts: ReadonlyArray<string>) => {
  for (const text of texts) {
    const ids = theirs.encode(text)
    assertEquals([...ours.encode(text)], [...ids], JSON.stringify(text))
    const options = { addSpecialTokens: false }
    assertEquals([...ours.encode(text, options)], [...theirs.encode(text, options)], JSON.stringify(text))
    assertEquals(ours.decode(ids), theirs.decode(ids), JSON.stringify(text))
    const skip = { skipSpecialTokens: true }
    assertEquals(ours.decode(ids, skip), theirs.decode(ids, skip), JSON.stringify(text))
  }
}

const directories: ReadonlyArray<readonly [name: string, own: Json]> = [
  ["qwen2", byteLevel("qwen2", { "tokenizer.ggml.eos_token_id": 2 })],
  ["llama3", byteLevel("llama-bpe", { "tokenizer.ggml.bos_token_id": 0 })],
  ["llama2", {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.unknown_token_id": 0,
  }],
]
for (const [name, own] of directories) {
  Deno.test(`${name}: the tokens of a GGUF file are those of the tokenizer.json that it was made of`, () => {
    const directory = fixture(`directories/4/${name}`)
    const file: TokenizerJson = read(`${directory}/tokenizer.json`)
    // A GGUF file does not say that spaces go where a text is decoded.
    const config = { ...read(`${directory}/tokenizer_config.json`), clean_up_tokenization_spaces: false }
    const theirs = tokenizerOf(file, config)
    const { texts } = read(`${directory}/expected.json`)
    const ours = fromGguf(converted(file, own))
    assertEquals(ours.notes, undefined)
    compare(ours, theirs, [...TEXTS, ...texts.map(({ text }: { text: string }) => text)])
  })
}

const letters: TokenizerJson = {
  model: {
    vocab: Object.fromEntries([..."abcdefgh0123'st\u0120"].map((letter, id) => [letter, id])),
    merges: [],
  },
  added_tokens: [{ id: 16, content: "<s>", special: true }, { id: 17, content: "<u>", special: false }],
}
const words: TokenizerJson = {
  ...letters,
  model: {
    vocab: { ...letters.model.vocab, "12": 18, "\u0120a": 19, "ab": 20 },
    merges: ["1 2", "\u0120 a", "a b"],
  },
}

Deno.test("pre-tokenizers cut as they are called: digits one by one, in threes, or as they come", () => {
  const tokens = (pre: string, text: string) => {
    const tokenizer = fromGguf(converted(words, byteLevel(pre, { "tokenizer.ggml.add_bos_token": false })))
    return [...tokenizer.encode(text)].map((id) => tokenizer.token(id))
  }
  assertEquals(tokens("smollm", "ab 12"), ["ab", "\u0120", "1", "2"])
  assertEquals(tokens("gpt-2", "ab 12"), ["ab", "\u0120", "12"])
  assertEquals(tokens("llama-bpe", "0012"), ["0", "0", "1", "2"])
  assertEquals(tokens("qwen2", "12"), ["1", "2"])
})

Deno.test("bos and eos stand around a text where the file says so, or where its kind does so by default", () => {
  const ids = (own: Json, file = letters) => [...fromGguf(converted(file, own)).encode("a")]
  const ends = { "tokenizer.ggml.bos_token_id": 16, "tokenizer.ggml.eos_token_id": 17 }
  assertEquals(ids(byteLevel("smollm", ends)), [0])
  assertEquals(ids(byteLevel("smollm", { ...ends, "tokenizer.ggml.add_bos_token": true })), [16, 0])
  assertEquals(ids(byteLevel("smollm", { ...ends, "tokenizer.ggml.add_eos_token": true })), [0, 17])
  assertEquals(ids(byteLevel("llama-bpe", ends)), [16, 0])
  assertEquals(ids(byteLevel("llama-bpe", { ...ends, "tokenizer.ggml.add_bos_token": false })), [0])
})

Deno.test("special tokens are found by their types and left out on request; those that users defined stay", () => {
  const tokenizer = fromGguf(converted(letters, byteLevel("smollm", { "tokenizer.ggml.eos_token_id": 16 })))
  const ids = tokenizer.encode("a<s>b<u>")
  assertEquals([...ids], [0, 16, 1, 17])
  assertEquals(tokenizer.decode(ids, { skipSpecialTokens: true }), "ab<u>")
  assertEquals(tokenizer.eosId, 16)
  assertEquals(tokenizer.bosId, undefined)
})

Deno.test("template and end tokens lie in the files that stand for a tokenizer", () => {
  const record = converted(
    letters,
    byteLevel("smollm", {
      "tokenizer.chat_template": "{{ messages }}",
      "tokenizer.ggml.eos_token_id": 16,
      "tokenizer.ggml.eot_token_id": 17,
    }),
  )
  const files = tokenizerFiles(valuesOf(record), "m.gguf", tokenizers)
  assertEquals(files["tokenizer_config.json"].chat_template, "{{ messages }}")
  assertEquals(files["generation_config.json"], { eos_token_id: [16, 17] })
})

Deno.test("tokenizers that are not known, or do not fit their own lists, are refused with what is known", () => {
  const plain = (own: Json) => converted(letters, own)
  const cases: ReadonlyArray<readonly [Json, string]> = [
    [
      plain(byteLevel("tekken")),
      'cuts texts by "tekken" (tokenizer.ggml.pre), which is not known here; known: "gpt-2"',
    ],
    [plain({ "tokenizer.ggml.model": "gpt2" }), "does not say how texts are cut (tokenizer.ggml.pre)"],
    [plain({ "tokenizer.ggml.model": "bert" }), 'of kind "bert" (tokenizer.ggml.model), which is not known here'],
    [plain(byteLevel("gpt-2", { "tokenizer.ggml.bos_token_id": 18 })), "is 18, there are 18 tokens"],
    [plain(byteLevel("gpt-2", { "tokenizer.ggml.token_type": [1] })), "18 tokens have 1 types"],
    [plain(byteLevel("llama-bpe")), '"tokenizer.ggml.bos_token_id" is missing, and is added to each text'],
    [plain(byteLevel("gpt-2", { "tokenizer.ggml.merges": ["a x"] })), '"ax", which is not in the vocabulary'],
    [plain(byteLevel("gpt-2", { "tokenizer.ggml.merges": undefined })), '"tokenizer.ggml.merges" is missing'],
    [plain({ "tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [1] }), "18 tokens have 1 scores"],
    [byteLevel("gpt-2"), '"tokenizer.ggml.tokens" is missing'],
  ]
  for (const [record, text] of cases) assertStringIncludes(refused(record), text)
})

Deno.test("what files call tokenizers is known by the families that are provided, and by no other", async () => {
  assertEquals(await Effect.runPromise(registeredTokenizers), { kinds: {}, cuts: {} })
  const known = registeredTokenizers.pipe(
    Effect.provide(Llama.layer.pipe(Layer.provideMerge(families)), { local: true }),
  )
  assertEquals(await Effect.runPromise(known), tokenizers)
  const message = failureOf(() => tokenizerFiles(valuesOf(converted(letters, byteLevel("gpt-2"))), "m.gguf", NONE))
  assertStringIncludes(message, "provide the layer of the model's family")
})
