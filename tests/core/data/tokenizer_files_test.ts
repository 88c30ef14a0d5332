import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DataError } from "../../../core/data/data_error.ts"
import { loadTokenizer, makeTokenizer } from "../../../core/data/tokenizer_files/load_tokenizer.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { layer as families } from "../../../core/model/load/families.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import { failure, run } from "./support.ts"

// Expected values are those of transformers 4.57.6 and 5.24.0 alike, but where a test says otherwise.

type Json = Readonly<Record<string, unknown>>

const special = (id: number, content: string) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})
const numbered = (tokens: ReadonlyArray<string>) => Object.fromEntries(tokens.map((token, id) => [token, id]))
const token = (id: string, type_id = 0) => ({ SpecialToken: { id, type_id } })
const text = (id: string, type_id = 0) => ({ Sequence: { id, type_id } })
const template = (single: ReadonlyArray<unknown>, tokens: Readonly<Record<string, number>>) => ({
  type: "TemplateProcessing",
  single,
  pair: [...single, text("B", 1)],
  special_tokens: Object.fromEntries(
    Object.entries(tokens).map(([id, number]) => [id, { id, ids: [number], tokens: [id] }]),
  ),
})

const WORDS = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  "quince",
  "Quince",
  "pear",
  "##s",
  "eclair",
  "éclair",
  "東",
  "京",
  "##京",
  "a",
]

/** Lowercased words in pieces. */
const words = (normalizer: Json = {}) => ({
  version: "1.0",
  added_tokens: WORDS.slice(0, 5).map((content, id) => special(id, content)),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
    ...normalizer,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: template([token("[CLS]"), text("A"), token("[SEP]")], { "[CLS]": 2, "[SEP]": 3 }),
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: numbered(WORDS),
  },
})

const BYTES = ["<|a|>", "<|z|>", "p", "e", "a", "r", "s", "Ġ", "pe", "ar", "pear", "Ġpear"]

const bytes = (space = false) => ({ type: "ByteLevel", add_prefix_space: space, trim_offsets: true, use_regex: true })
/** Bytes that merge to a word. */
const pears = (added: ReadonlyArray<number> = [0, 1], space = false) => ({
  version: "1.0",
  added_tokens: added.map((id) => special(id, BYTES[id])),
  normalizer: null,
  pre_tokenizer: bytes(space),
  post_processor: bytes(),
  decoder: bytes(),
  model: {
    type: "BPE",
    vocab: numbered(BYTES),
    merges: [["p", "e"], ["a", "r"], ["pe", "ar"], ["\u0120", "pear"]],
  },
})

const MARKED = ["<unk>", "<s>", "</s>", "▁", "p", "e", "a", "r", "pe", "ar", "pear", "▁pear"]

/** Spaces that are marked before the text is cut. */
const marked = {
  version: "1.0",
  added_tokens: MARKED.slice(0, 3).map((content, id) => special(id, content)),
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "\u2581" },
      { type: "Replace", pattern: { String: " " }, content: "\u2581" },
    ],
  },
  pre_tokenizer: null,
  post_processor: template([token("<s>"), text("A")], { "<s>": 1 }),
  decoder: null,
  model: {
    type: "BPE",
    unk_token: "<unk>",
    fuse_unk: true,
    vocab: numbered(MARKED),
    merges: [["p", "e"], ["a", "r"], ["pe", "ar"], ["\u2581", "pear"]],
  },
}

interface Directory {
  readonly what: string
  readonly files: readonly [model: unknown, config: unknown, map?: unknown, added?: unknown, modelConfig?: unknown]
  readonly texts: ReadonlyArray<string>
  readonly ids: ReadonlyArray<ReadonlyArray<number>>
  readonly special: Json
}

const make = ([model, config, map, added, modelConfig]: Directory["files"]): Tokenizer =>
  tokenizerOf(model, config ?? {}, "tokenizer.json", {
    specialTokensMap: map ?? undefined,
    addedTokens: added ?? undefined,
    modelConfig,
    modelTokenizers: Llama.llama.tokenizers!,
  })

const same: ReadonlyArray<Directory> = [
  {
    what: "class by the model type, no other file",
    files: [words(), null, null, null, { "model_type": "bert" }],
    texts: ["Quince pears", "éclair 東京", "a [MASK] a"],
    ids: [[2, 5, 7, 8, 3], [2, 9, 11, 12, 3], [2, 14, 4, 14, 3]],
    special: { "padId": 0, "maskId": 4 },
  },
  {
    what: "cased by tokenizer_config.json",
    files: [words(), { "tokenizer_class": "DistilBertTokenizer", "do_lower_case": false }, null, null, {
      "model_type": "distilbert",
    }],
    texts: ["Quince pears", "éclair 東京", "a [MASK] a"],
    ids: [[2, 6, 7, 8, 3], [2, 10, 11, 12, 3], [2, 14, 4, 14, 3]],
    special: { "padId": 0, "maskId": 4 },
  },
  {
    what: "accents kept, ideographs together",
    files: [
      words(),
      { "tokenizer_class": "BertTokenizerFast", "strip_accents": false, "tokenize_chinese_chars": false },
      null,
      null,
      { "model_type": "bert" },
    ],
    texts: ["Quince pears", "éclair 東京", "a [MASK] a"],
    ids: [[2, 5, 7, 8, 3], [2, 10, 11, 13, 3], [2, 14, 4, 14, 3]],
    special: { "padId": 0, "maskId": 4 },
  },
  {
    what: "a cased file without a word in tokenizer_config.json is lowercased",
    files: [words({ lowercase: false }), { "tokenizer_class": "ElectraTokenizer" }, null, null, {
      "model_type": "electra",
    }],
    texts: ["Quince pears", "éclair 東京", "a [MASK] a"],
    ids: [[2, 5, 7, 8, 3], [2, 9, 11, 12, 3], [2, 14, 4, 14, 3]],
    special: { "padId": 0, "maskId": 4 },
  },
  {
    what: "no class, no override",
    files: [words(), { "tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": false }, null, null, {
      "model_type": "bert",
    }],
    texts: ["Quince pears", "éclair 東京", "a [MASK] a"],
    ids: [[2, 5, 7, 8, 3], [2, 9, 11, 12, 3], [2, 14, 4, 14, 3]],
    special: {},
  },
  {
    what: "special_tokens_map.json over tokenizer_config.json",
    files: [
      pears(),
      { "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "pear" },
      {
        "eos_token": {
          "content": "<|z|>",
          "lstrip": false,
          "rstrip": false,
          "normalized": false,
          "single_word": false,
        },
        "bos_token": "<|a|>",
      },
      null,
      { "model_type": "llama" },
    ],
    texts: ["pears pear", "<|z|> pear"],
    ids: [[10, 6, 11], [1, 11]],
    special: { "eosId": 1, "bosId": 0 },
  },
  {
    what: "added_tokens_decoder puts special_tokens_map.json aside",
    files: [
      pears(),
      {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|a|>",
        "added_tokens_decoder": {
          "0": {
            "content": "<|a|>",
            "single_word": false,
            "lstrip": false,
            "rstrip": false,
            "normalized": false,
            "special": true,
          },
        },
      },
      { "eos_token": "<|z|>" },
      null,
      { "model_type": "llama" },
    ],
    texts: ["pears pear", "<|z|> pear"],
    ids: [[10, 6, 11], [1, 11]],
    special: { "eosId": 0 },
  },
  {
    what: "tokens of added_tokens.json",
    files: [pears(), { "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|n|>" }, null, {
      "<|n|>": 12,
      "pears": 13,
    }, { "model_type": "llama" }],
    texts: ["pears pear", "<|z|> pear", "pears<|n|>"],
    ids: [[13, 11], [1, 11], [13, 12]],
    special: { "eosId": 12 },
  },
  {
    what: "a named token of the vocabulary is found in a text",
    files: [
      pears([1]),
      { "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|a|>", "additional_special_tokens": ["pear"] },
      null,
      null,
      { "model_type": "llama" },
    ],
    texts: ["pears pear", "<|z|> pear", "<|a|>pear"],
    ids: [[10, 6, 7, 10], [1, 7, 10], [0, 10]],
    special: { "bosId": 0 },
  },
  {
    what: "add_prefix_space",
    files: [
      pears(),
      {
        "tokenizer_class": "GPT2Tokenizer",
        "bos_token": "<|a|>",
        "eos_token": "<|z|>",
        "unk_token": "<|z|>",
        "add_prefix_space": true,
      },
      null,
      null,
      { "model_type": "gpt2" },
    ],
    texts: ["pears pear", "<|z|> pear"],
    ids: [[11, 6, 11], [1, 11]],
    special: { "eosId": 1, "bosId": 0 },
  },
  {
    what: "split_special_tokens",
    files: [
      words(),
      { "tokenizer_class": "PreTrainedTokenizerFast", "split_special_tokens": true, "mask_token": "[MASK]" },
      null,
      null,
      { "model_type": "bert" },
    ],
    texts: ["a [MASK] a"],
    ids: [[2, 14, 1, 1, 1, 14, 3]],
    special: { "maskId": 4 },
  },
  {
    what: "tokens by padding",
    files: [
      { ...pears(), padding: { pad_token: "<|a|>" }, truncation: { max_length: 1 } },
      { "tokenizer_class": "PreTrainedTokenizerFast" },
      null,
      null,
      { "model_type": "llama" },
    ],
    texts: ["pears pear", "<|z|> pear"],
    ids: [[10, 6, 11], [1, 11]],
    special: { "padId": 0 },
  },
  {
    what: "empty texts and null are no tokens",
    files: [
      pears(),
      { "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": null, "eos_token": "<|z|>" },
      null,
      null,
      { "model_type": "llama" },
    ],
    texts: ["pears pear", "<|z|> pear"],
    ids: [[10, 6, 11], [1, 11]],
    special: { "eosId": 1 },
  },
]

const specialOf = ({ padId, eosId, bosId, maskId }: Tokenizer) =>
  Object.fromEntries(Object.entries({ padId, eosId, bosId, maskId }).filter(([, id]) => id !== undefined))

Deno.test("all files of a directory count, as in transformers", () => {
  for (const { what, files, texts, ids, special } of same) {
    const tokenizer = make(files)
    assertEquals(texts.map((text) => [...tokenizer.encode(text)]), ids, what)
    assertEquals(specialOf(tokenizer), special, what)
  }
})

Deno.test("where the versions differ, tokenizer.json is followed and a note says so", () => {
  const has = (
    files: Directory["files"],
    text: string,
    ids: ReadonlyArray<number>,
    ...parts: ReadonlyArray<string>
  ) => {
    const tokenizer = make(files)
    assertEquals([...tokenizer.encode(text)], ids)
    for (const part of parts) assertStringIncludes((tokenizer.notes ?? []).join("\n"), part)
    return tokenizer
  }
  const llama = { tokenizer_class: "LlamaTokenizerFast" }
  // 4.57.6 puts the end token 2 after the text.
  has([marked, { ...llama, add_eos_token: true }], "pear", [1, 11], '"add_eos_token" is true', "no eos token after")
  has([marked, { ...llama, add_bos_token: false }], "pear", [1, 11], '"add_bos_token" is false', "its bos token before")
  // 5.24.0 marks the beginning alone: [1, 2, 10] for this text with the class, and [1, 2, 11] with tokenizer.json.
  has([marked, llama], "</s>pear", [1, 2, 11], "transformers 5 makes normalizer, pre_tokenizer", "LlamaTokenizerFast")
  // 4.57.6 puts no space before the text.
  const fast = { tokenizer_class: "PreTrainedTokenizerFast" }
  has([pears([0, 1], true), fast], "pear", [11], '"add_prefix_space": true', "transformers 4 takes false")
  has(
    [pears(), { tokenizer_class: "Qwen2Tokenizer" }],
    "pear",
    [10],
    "transformers 5 makes normalizer, pre_tokenizer anew",
  )
  has([pears(), { tokenizer_class: "DebertaV2Tokenizer" }], "pear", [10], "not compared")
  // 5.24.0 names no tokens for this model type.
  const mistral = has(
    [marked, {}, null, null, { model_type: "mistral" }],
    "pear",
    [1, 11],
    '"eos_token"',
    "one version",
  )
  assertEquals([mistral.bosId, mistral.eosId], [1, 2])
  for (const files of [[words(), { tokenizer_class: "BertTokenizer" }], [pears(), fast]] as const) {
    assertEquals(make(files).notes, undefined)
  }
})

Deno.test("the classes of model types are known by the families that are provided, and by no other", async () => {
  const { eosId } = await run(makeTokenizer(marked, {}, "tokenizer.json", { modelConfig: { model_type: "mistral" } }))
  assertEquals(eosId, undefined)
  const mistral = makeTokenizer(marked, {}, "tokenizer.json", { modelConfig: { model_type: "mistral" } }).pipe(
    Effect.provide(Llama.layer.pipe(Layer.provideMerge(families)), { local: true }),
  )
  assertEquals((await run(mistral)).eosId, 2)
  // A type that has the name of its class needs no family.
  const { notes } = await run(makeTokenizer(pears(), {}, "tokenizer.json", { modelConfig: { model_type: "gpt2" } }))
  assertStringIncludes(notes!.join("\n"), '"<|endoftext|>" is not in the vocabulary')
})

Deno.test("tokens that are not in the vocabulary, fields and classes that are not known are told", () => {
  const notes = (...files: Directory["files"]) => (make(files).notes ?? []).join("\n")
  assertStringIncludes(notes(pears(), { pad_token: "[PAD]" }), 'the pad token "[PAD]" is not in the vocabulary')
  assertStringIncludes(notes(pears(), { additional_special_tokens: ["<new>"] }), '"<new>" is not in the vocabulary')
  assertStringIncludes(notes(pears(), { chat_template: "", sharpness: 3 }), 'passed over: "sharpness"')
  assertStringIncludes(notes(pears(), { tokenizer_class: "PearTokenizer" }), "PearTokenizer, which is not known")
  assertEquals(notes(pears(), { vocab_size: 49152 }), notes(pears(), {}))
  assertStringIncludes(notes(words(), { do_lower_case: "no" }), '"do_lower_case" should be true or false')
  assertEquals(make([pears(), { pad_token: "[PAD]" }]).vocabSize, 12)
  const decoder = { "12": { content: "<n>", special: true } }
  const grown = make([pears(), { added_tokens_decoder: decoder }])
  assertEquals([[...grown.encode("pear<n>")], grown.vocabSize], [[10, 12], 13])
  for (
    const [config, part] of [[{ eos_token: 3 }, "eos_token"], [{ added_tokens_decoder: { x: {} } }, '"x"']] as const
  ) {
    assertStringIncludes(assertThrows(() => make([pears(), config]), DataError).message, part)
  }
})

Deno.test("files are read with a byte order mark; where one is not JSON, line and column are told", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const write = (name: string, content: string) => Deno.writeTextFile(`${directory}/${name}`, content)
    await write("tokenizer.json", `\ufeff${JSON.stringify(pears())}`)
    await write("special_tokens_map.json", '\ufeff{"eos_token": "<|z|>"}')
    assertEquals((await run(loadTokenizer(directory))).eosId, 1)
    for (const name of ["special_tokens_map.json", "added_tokens.json", "config.json", "tokenizer_config.json"]) {
      await write(name, '{"eos_token":\n "<|z|>" "}')
      const error = await failure(loadTokenizer(directory))
      assertEquals(error.reason, "Tokenizer")
      assertStringIncludes(error.message, `${name}" is not valid JSON, line 2, column 10`)
      await write(name, "{}")
    }
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
