import { assertEquals, assertNotEquals } from "@std/assert"
import { HIDDEN, hideSpecial, specialTexts } from "../../../core/data/special_texts.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"

const directory = new URL("../../../examples/models/espalier-1m/", import.meta.url).pathname
const json = (name: string) => JSON.parse(Deno.readTextFileSync(directory + name))
const tokenizer = tokenizerOf(json("tokenizer.json"), json("tokenizer_config.json"))
/** The same, with special tokens in texts as text. */
const split = tokenizerOf(json("tokenizer.json"), { ...json("tokenizer_config.json"), split_special_tokens: true })

Deno.test("special tokens that are hidden are read as text, as a tokenizer reads them that splits them", () => {
  const specials = specialTexts(tokenizer)
  assertEquals(specials.includes("<|endoftext|>"), true)
  const hide = hideSpecial(specials)
  const encoded = (text: string) => [...tokenizer.encode(hide(text), { addSpecialTokens: false, hidden: HIDDEN })]
  for (const text of ["<|endoftext|>", "a <|endoftext|><|pad|> b", "<|endof<|endoftext|>text|>", "nothing", ""]) {
    assertEquals(encoded(text), [...split.encode(text, { addSpecialTokens: false })], text)
  }
  const taken = "<|endoftext|>"
  assertNotEquals(encoded(taken), [...tokenizer.encode(taken, { addSpecialTokens: false })])
  // Who writes the hidden character gets no token by it.
  assertEquals(encoded(`<|endof${HIDDEN}text|>`), encoded(taken))
})

Deno.test("special tokens are hidden in all texts of a value, also those that stand in or over others", () => {
  const hide = hideSpecial(["ab", "bc", "abcd"])
  const plain = (text: string) => ["ab", "bc", "abcd"].every((special) => !text.includes(special))
  for (const text of ["ab", "abc", "abcd", "aabbcc", "xabcdx", "abab"]) {
    assertEquals(plain(hide(text)), true, text)
    assertEquals(hide(text).replaceAll(HIDDEN, ""), text)
  }
  const value = { role: "user", content: "ab", parts: [{ text: "bc" }, 3, null, true], n: "x" }
  const h = HIDDEN
  assertEquals(hide(value), { ...value, content: `a${h}b${h}`, parts: [{ text: `b${h}c${h}` }, 3, null, true] })
  assertEquals(hideSpecial([])(value), value)
})
