import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { DataError } from "../../../core/data/data_error.ts"
import { fromRows } from "../../../core/tasks/dataset/dataset.ts"
import { MASKED } from "../../../core/data/encode.ts"
import { formatPreview, preview } from "../../../core/data/preview.ts"
import { causalLM } from "../../../core/tasks/causal_lm.ts"
import {
  countLabels,
  countTokens,
  encodeRows as encode,
  encodeTextBlocks as encodeBlocks,
  framed,
  learned,
  texts,
  tokenizer,
} from "./support.ts"

const eos = tokenizer.eosId!

Deno.test("classification: special tokens stay when the text is cut, and cuts are counted", () => {
  const rows = [{ t: "a b", l: 0 }, { t: "a b c d e", l: 1 }]
  const encoded = encode(fromRows(rows, { text: "t", label: "l" }), framed, { maxLength: 4 })
  assertEquals(encoded.examples.map((example) => [...example.tokens]), [[1, 3, 4, 2], [1, 3, 4, 2]])
  assertEquals(encoded.examples.map((example) => [...Array.from(example.fields.labels)]), [[0], [1]])
  assertEquals([encoded.truncated, countTokens(encoded.examples), countLabels(encoded.examples)], [1, 8, 2])
})

Deno.test("completion: the prompt is masked, the end of text is learned", () => {
  const data = fromRows([{ p: "The prize is", c: " won now!" }], { prompt: "p", completion: "c" })
  const [example] = encode(data, tokenizer, { maxLength: 64 }).examples
  const { tokens } = example
  const prompt = tokenizer.encode("The prize is")
  assertEquals([...tokens], [...prompt, ...tokenizer.encode(" won now!"), eos])
  assertEquals(learned(example), [...tokens].map((id, at) => (at < prompt.length ? MASKED : id)))
  const whole = encode(data, tokenizer, { maxLength: 64, completionOnly: false }).examples[0]
  assertEquals(learned(whole), [MASKED, ...tokens.slice(1)])
})

Deno.test("plain language modelling: all but the first token is trained on; a text that was cut has no end", () => {
  const data = fromRows([{ t: texts[0] }, { t: "ok" }], { text: "t" })
  const encoded = encode(data, tokenizer, { maxLength: 8 })
  const [cut, short] = encoded.examples
  assertEquals([cut.tokens.length, cut.tokens.includes(eos), encoded.truncated], [8, false, 1])
  assertEquals(short.tokens.at(-1), eos)
  assertEquals(learned(short), [MASKED, ...short.tokens.slice(1)])
  assertEquals(countLabels(encoded.examples), countTokens(encoded.examples) - 2)
})

Deno.test("tagged words: a word's first token has its label, special tokens have none, also where the row is cut", () => {
  const pieces = {
    ...framed,
    encode: (text: string) => framed.encode([...text].join(" "), { addSpecialTokens: false }),
  }
  const encodeWords: typeof framed.encode = (text, options) =>
    options?.addSpecialTokens === false ? pieces.encode(text) : Int32Array.of(1, ...pieces.encode(text), 2)
  const data = fromRows([{ w: ["ab", "c", "de"], t: ["x", "y", "x"] }, { w: ["a"], t: ["y"] }], {
    words: "w",
    tags: "t",
  })
  assertEquals([data.kind.name, data.labels, data.rows[0].labels, data.rows[0].text], [
    "tagged",
    ["x", "y"],
    [0, 1, 0],
    "ab c de",
  ])
  const encoded = encode(data, { ...framed, encode: encodeWords }, { maxLength: 6 })
  assertEquals([...encoded.examples[0].tokens], [1, 3, 4, 5, 6, 2])
  assertEquals([...encoded.examples[0].fields.labels as Int32Array], [MASKED, 0, MASKED, 1, 0, MASKED])
  assertEquals([...encoded.examples[1].fields.labels as Int32Array], [MASKED, 1, MASKED])
  assertEquals([encoded.truncated, countLabels(encoded.examples)], [1, 4])
  const uneven = [{ w: ["a", "b"], t: ["x"] }, { w: ["a"], t: ["y"] }]
  assertEquals(assertThrows(() => fromRows(uneven, { words: "w", tags: "t" }), DataError).rows, [1])
  assertEquals(
    assertThrows(() => fromRows([{ w: "a", t: [] }], { words: "w", tags: "t" }), DataError).reason,
    "Malformed",
  )
})

Deno.test("hidden tokens: all but special ones can be, and no end of text is added", () => {
  const data = fromRows([{ t: "a b c d e" }], { text: "t" })
  const [{ tokens, fields }] = encode(data, { ...framed, eosId: 7, maskId: 0 }, { maxLength: 5, masked: true }).examples
  assertEquals([[...tokens], Array.from(fields.labels)], [[1, 3, 4, 5, 2], [MASKED, 3, 4, 5, MASKED]])
})

Deno.test("too long, nothing to train on and no token are errors that name the rows", () => {
  const data = fromRows([{ t: "ok" }, { t: texts[0] }, { t: texts[1] }], { text: "t" })
  const long = assertThrows(() => encode(data, tokenizer, { maxLength: 8, truncate: false }), DataError)
  assertEquals([long.reason, long.rows], ["TooLong", [2, 3]])
  assertStringIncludes(long.message, "8 are allowed")
  const pairs = fromRows([{ p: "ok", c: "yes" }, { p: texts[0], c: "no" }], { prompt: "p", completion: "c" })
  const masked = assertThrows(() => encode(pairs, tokenizer, { maxLength: 8 }), DataError)
  assertEquals([masked.reason, masked.rows], ["AllMasked", [2]])
  const nothing = { ...tokenizer, encode: () => new Int32Array(0) }
  assertEquals(assertThrows(() => encode(data, nothing, { maxLength: 8 }), DataError).rows, [1, 2, 3])
  assertThrows(() => encode(data, tokenizer, { maxLength: 1 }), DataError, "maxLength")
})

Deno.test("blocks: all texts one after the other, cut at the block length", () => {
  const data = fromRows(texts.map((t) => ({ t })), { text: "t" })
  const encoded = encodeBlocks(data, tokenizer, { blockLength: 10 })
  const all = texts.flatMap((text) => [...tokenizer.encode(text), eos])
  assertEquals(encoded.examples.flatMap((example) => [...example.tokens]), all)
  assert(encoded.examples.slice(0, -1).every((example) => example.tokens.length === 10))
  for (const example of encoded.examples) assertEquals(learned(example), [MASKED, ...example.tokens.slice(1)])
  const ends = texts.map((_, at) => texts.slice(0, at + 1).reduce((sum, t) => sum + tokenizer.encode(t).length + 1, 0))
  const rows = encoded.examples.map((_, at) => ends.findIndex((end) => end > at * 10) + 1)
  assertEquals(encoded.examples.map((example) => example.row), rows)
  const one = { ...tokenizer, encode: () => Int32Array.of(5) }
  const { eosId: _, ...endless } = one
  const single = fromRows([{ t: "a" }], { text: "t" })
  assertEquals(assertThrows(() => encodeBlocks(single, endless, { blockLength: 4 }), DataError).reason, "AllMasked")
})

Deno.test("the preview marks what is trained on, token by token", () => {
  const data = fromRows([{ p: "a b", c: "c\u001b[2J\u009b é" }], { prompt: "p", completion: "c" })
  const tokens = preview(encode(data, tokenizer, { maxLength: 64 }).examples[0], tokenizer, causalLM().written!)
  assertEquals(tokens.slice(0, 3).map(({ text, trained }) => [text, trained]), [["a", false], [" ", false], [
    "b",
    false,
  ]])
  const plain = formatPreview(tokens)
  assert(plain.startsWith("a| |b|[c]|[\\u001b]|[[]|[2]|[J]"), plain)
  assert(plain.endsWith("[<|endoftext|>]"), plain)
  assert(!plain.includes("\x1b") && !plain.includes("\u009b"), plain)
  // Half of a two-byte character is spelled as the vocabulary does.
  assertStringIncludes(plain, "[Ã]|[©]")
  const colored = formatPreview(tokens, { color: true })
  assertStringIncludes(colored, "\x1b[2mb\x1b[0m|\x1b[32;1mc\x1b[0m")
})
