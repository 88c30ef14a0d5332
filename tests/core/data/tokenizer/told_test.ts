/**
 * What tokenizer.json decides though transformers 5.24.0 does otherwise, and the notes of it. Ids and texts by transformers 4.57.6.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import type { Tokenizer } from "../../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../../core/data/tokenizer/tokenizer_of.ts"
import { fixture } from "../../../support/model_layer.ts"

// deno-lint-ignore no-explicit-any
type Any = any

/** The tokenizer of a directory of the fixture, with a change of its files. */
const changed = (name: string, change: (file: Any, config: Any) => void): Tokenizer => {
  const read = (file: string) => JSON.parse(Deno.readTextFileSync(fixture(`directories/${name}/${file}`)))
  const [file, config] = [read("tokenizer.json"), read("tokenizer_config.json")]
  change(file, config)
  return tokenizerOf(file, config, "tokenizer.json", { modelConfig: read("config.json") })
}
const tells = ({ notes = [] }: Tokenizer, ...words: ReadonlyArray<string>): boolean =>
  notes.some((note) => words.every((word) => note.includes(word)))

Deno.test("a token with a role is left out with the special ones, whatever its flag in tokenizer.json", () => {
  const tokenizer = changed("5/bert-cased", (file) => file.added_tokens[3].special = false)
  assertEquals([...tokenizer.encode("a tree [SEP]b")], [2, 23, 75, 3, 24, 3])
  assertEquals(tokenizer.decode([2, 23, 75, 3, 24, 3], { skipSpecialTokens: true }), "a tree b")
  const end = changed("5/qwen2", (file) => file.added_tokens[2].special = false)
  assertEquals(end.decode(end.encode("a tree<|im_end|>x <|im_end|> y"), { skipSpecialTokens: true }), "a treex  y")
  const begin = changed("5/llama3", (file) => file.added_tokens[0].special = false)
  assertEquals(begin.decode(begin.encode("a tree"), { skipSpecialTokens: true }), "a tree")
})

Deno.test("another decoder than the class's is followed and told", () => {
  const same = (file: Any) => void file
  for (const name of ["4/bert", "5/distilbert", "4/qwen2", "5/llama2"]) {
    assert(!tells(changed(name, same), "decoder", "anew"), name)
  }
  const fused = changed("4/qwen2", (file) => file.decoder = { type: "Fuse" })
  assertEquals(fused.decode(fused.encode("The gardener")), "TheĠgardener")
  assert(tells(fused, "transformers 5", "decoder"))
  const bare = changed("5/distilbert", (file) => file.decoder.prefix = "@@")
  assert(tells(bare, "transformers 5", "decoder"))
  const none = changed("5/bert", (file) => file.decoder = null)
  assert(tells(none, "transformers 5", "decoder"))
})

Deno.test("MPNet takes settings for words from tokenizer_config.json, but for Chinese characters only in transformers 5", () => {
  const upper = changed("5/mpnet", (file) => file.normalizer.lowercase = false)
  assertEquals([...upper.encode("The tree")], [...changed("5/mpnet", () => {}).encode("the tree")])
  assert(!tells(changed("5/mpnet", () => {}), "anew"))
  const whole = changed("4/mpnet", (_, config) => config.tokenize_chinese_chars = false)
  assertEquals([...whole.encode("a\u68a8a")], [...changed("4/mpnet", () => {}).encode("a\u68a8a")])
  assert(tells(whole, "transformers 5", "normalizer", "anew"))
})

Deno.test("spaces before punctuation are taken out of decoded text as in transformers 4, and told where 5 leaves them", () => {
  const decoded = (tokenizer: Tokenizer) => tokenizer.decode(tokenizer.encode("x .", { addSpecialTokens: false }))
  const cleaning = changed("4/llama3", () => {})
  assertEquals(decoded(cleaning), "x.")
  assert(tells(cleaning, "clean_up_tokenization_spaces", "BPE"))
  const leaving = changed("4/llama3", (_, config) => config.clean_up_tokenization_spaces = false)
  assertEquals(decoded(leaving), "x .")
  assert(!tells(leaving, "clean_up_tokenization_spaces"))
  assert(!tells(changed("4/bert", () => {}), "clean_up_tokenization_spaces"))
})

Deno.test("flags of special tokens are followed, and told where transformers 5 passes over them", () => {
  const word = changed("5/qwen2", (file) => file.added_tokens[2].single_word = true)
  const ids = [67, 276, 30, 94, 75, 79, 65, 71, 80, 70, 94, 32, 90, 223, 2, 289]
  assertEquals([...word.encode("a tree<|im_end|>x <|im_end|> y")], ids)
  assert(tells(word, "transformers 5", "added_tokens", "<|im_end|>"))
  assert(!tells(changed("5/qwen2", () => {}), "flags"))
  assert(!tells(changed("5/bert", (file) => file.added_tokens[3].single_word = true), "flags"))
})

Deno.test("tokens of a class that the vocabulary does not have are told with the class", () => {
  const other = changed("5/qwen2", (_, config) => config.tokenizer_class = "BertTokenizerFast")
  assert(tells(other, "tokenizer_class", "[MASK]"))
  assertEquals(other.maskId, undefined)
  const bert = changed("4/bert-cased", (_, config) => config.tokenizer_class = "Qwen2TokenizerFast")
  assert(tells(bert, "tokenizer_class", "<|endoftext|>"))
  assertEquals(bert.eosId, undefined)
  const named = changed("5/qwen2", (_, config) => config.pad_token = "[NEW]")
  assert(tells(named, "pad token", "[NEW]") && !tells(named, "pad token", "tokenizer_class"))
  assertEquals(named.padId, undefined)
})
