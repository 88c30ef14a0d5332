import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { DataError } from "../../../core/data/data_error.ts"
import { loadTokenizer } from "../../../core/data/tokenizer_files/load_tokenizer.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { trainBpe } from "../../../core/data/tokenizer/training/train_bpe.ts"
import { failure, framed, run, texts, tokenizer, withFile } from "./support.ts"

Deno.test("special tokens are added on request, and named by the configuration", () => {
  assertEquals([...framed.encode("a b")], [1, 3, 4, 2])
  assertEquals([...framed.encode("a b", { addSpecialTokens: false })], [3, 4])
  assertEquals([framed.padId, framed.eosId, framed.vocabSize, framed.addsSpecialTokens], [0, undefined, 8, true])
  assertEquals(framed.decode([1, 3, 4, 2], { skipSpecialTokens: true }), "a b")
  assertEquals([tokenizer.addsSpecialTokens, tokenizer.decode([]), tokenizer.encode("").length], [false, "", 0])
  assertEquals([framed.token(3), framed.token(99), framed.id("c"), framed.id("z")], ["a", undefined, 5, undefined])
})

Deno.test("special tokens may be objects; one that is not in the vocabulary is told and not used", () => {
  const { model } = trainBpe(texts, { vocabSize: 258 })
  assertEquals(tokenizerOf(model, { eos_token: { content: "<|pad|>" }, bos_token: null }).eosId, 1)
  const without = tokenizerOf(model, { eos_token: "</s>" })
  assertEquals([without.eosId, without.vocabSize], [undefined, 258])
  assertStringIncludes(without.notes!.join(), 'the eos token "</s>" is not in the vocabulary')
})

Deno.test("absent and corrupt files are typed errors", async () => {
  const absent = await failure(loadTokenizer("no/such/model"))
  assertEquals(absent.reason, "NotFound")
  assertStringIncludes(absent.message, "no/such/model/tokenizer.json")
  for (const content of ["{", "[]", "3", "null", "{}", '{"model":{"type":"BPE"}}', '{"added_tokens":[]}']) {
    const name = "tokenizer.json"
    const error = await withFile(name, content, (path) => failure(loadTokenizer(path.slice(0, -name.length - 1))))
    assertEquals(error.reason, "Tokenizer", content)
    assertStringIncludes(error.message, "tokenizer.json")
  }
  const { model } = trainBpe(texts, { vocabSize: 258 })
  await withFile("tokenizer.json", JSON.stringify(model), async (path) => {
    const directory = path.slice(0, path.lastIndexOf("/"))
    assertEquals((await run(loadTokenizer(directory))).eosId, undefined)
    await Deno.writeTextFile(`${directory}/tokenizer_config.json`, "nonsense")
    assertEquals((await failure(loadTokenizer(directory))).reason, "Tokenizer")
  })
})

Deno.test("a text without an id for a piece is an error", () => {
  const { model } = trainBpe(texts, { vocabSize: 258 })
  const { a: _, ...vocab } = model.model.vocab
  const without = tokenizerOf({ ...model, model: { ...model.model, vocab, unk_token: "a" } })
  const error = assertThrows(() => without.encode("banana"), DataError)
  assertEquals(error.reason, "Tokenizer")
})
