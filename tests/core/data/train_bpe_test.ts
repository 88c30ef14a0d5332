import { assert, assertEquals, assertThrows } from "@std/assert"
import { DataError } from "../../../core/data/data_error.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { loadTokenizer } from "../../../core/data/tokenizer_files/load_tokenizer.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { saveTokenizer, trainBpe } from "../../../core/data/tokenizer/training/train_bpe.ts"
import { BYTE_CHARACTERS } from "../../../core/data/tokenizer/text/unicode.ts"
import { run, texts, tokenizer, withFile } from "./support.ts"

Deno.test("merges the most frequent pair first, the smaller ids on a tie, and stops at rare pairs", () => {
  // Words and counts: hug 10, pug 5, pun 12, bun 4, hugs 5 (the worked example of the Hugging Face course).
  const words = [["hug", 10], ["pug", 5], ["pun", 12], ["bun", 4], ["hugs", 5]] as const
  const lines = words.flatMap(([word, count]) => new Array<string>(count).fill(word))
  const { model } = trainBpe(lines, { vocabSize: 300, minFrequency: 5 }).model
  const merges = model.merges.map((pair) => pair.join("+"))
  assertEquals(merges, ["u+g", "u+n", "h+ug", "p+un", "p+ug", "hug+s"])
  assertEquals(model.vocab["ug"], 258)
  assertEquals(model.vocab["<|endoftext|>"], 0)
})

Deno.test("runs of one character are counted anew after each merge", () => {
  const { model } = trainBpe(["aaaa", "aaaa", "aaa"], { vocabSize: 300 }).model
  assertEquals(model.merges.map((pair) => pair.join("+")), ["a+a", "aa+aa"])
})

Deno.test("the size of the vocabulary is exact, and training is deterministic", () => {
  const train = () => trainBpe(texts, { vocabSize: 300, specialTokens: ["<e>"] })
  const { model, config } = train().model.model.merges.length === 43 ? train() : { model: null, config: null }
  assert(model !== null && config !== null)
  assertEquals(Object.keys(model.model.vocab).length, 300)
  assertEquals(train(), train())
  assertEquals([config.eos_token, config.pad_token], ["<e>", "<e>"])
})

Deno.test("any text comes back", () => {
  assertEquals(new Set(BYTE_CHARACTERS).size, 256)
  const rng = makeRng(11)
  const samples = [
    ...texts,
    "emoji 😀👩‍👩‍👧 flags 🇩🇪, accents éÀñ, 日本語, عربى",
    "\u0000\u0001\t\r\n\n  \u007f\u0085\u00a0\u00ad\ufeff\u2028 end ",
    " leading, trailing  ",
    "it's don't ''s .. !! x!",
    "__proto__ constructor 0 10 007",
    ...Array.from({ length: 200 }, () =>
      Array.from({ length: 1 + rng.int(30) }, () => {
        const point = rng.int(4) === 0 ? rng.int(0x110000) : rng.int(0x180)
        return point >= 0xd800 && point < 0xe000 ? "x" : String.fromCodePoint(point)
      }).join("")),
  ]
  for (const sample of samples) {
    const ids = tokenizer.encode(sample)
    assertEquals(tokenizer.decode(ids), sample)
    assert(ids.every((id) => id > 1 && id < tokenizer.vocabSize))
  }
  assert(tokenizer.encode(texts[0]).length < texts[0].length * 0.85, "merges are used")
  assertEquals([...tokenizer.encode("a<|endoftext|>")].at(-1), tokenizer.eosId)
})

Deno.test("saved files load", () =>
  withFile("x", "", async (path) => {
    const directory = path.slice(0, -2)
    const trained = trainBpe(texts, { vocabSize: 300 })
    await run(saveTokenizer(directory, trained))
    const loaded = await run(loadTokenizer(directory))
    assertEquals(loaded.encode(texts[1]), tokenizerOf(trained.model).encode(texts[1]))
    assertEquals([loaded.vocabSize, loaded.eosId, loaded.padId, loaded.bosId], [300, 0, 1, undefined])
    const names = [...Deno.readDirSync(directory)].map((entry) => entry.name).sort()
    assertEquals(names, ["tokenizer.json", "tokenizer_config.json", "x"])
  }))

Deno.test("a vocabulary that is too small and wrong special tokens are errors", () => {
  for (
    const options of [
      { vocabSize: 257 },
      { vocabSize: 300.5 },
      { vocabSize: 300, specialTokens: ["<a>", "<a>"] },
      { vocabSize: 300, specialTokens: ["a"] },
      { vocabSize: 300, eosToken: "<none>" },
    ]
  ) assertEquals(assertThrows(() => trainBpe(texts, options), DataError).reason, "BadInput")
})
