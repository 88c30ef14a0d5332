import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { collate } from "../../../core/data/batches/batches.ts"
import { DataError } from "../../../core/data/data_error.ts"
import { encode, encodeBlocks, MASKED } from "../../../core/data/encode.ts"
import { formatPreview, preview } from "../../../core/data/preview.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { fromRows } from "../../../core/tasks/dataset/dataset.ts"
import { corruptSpans, spansOf } from "../../../core/tasks/span_corruption.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { framed, tokenizer } from "../data/support.ts"

const rows = (...all: ReadonlyArray<readonly [string, string]>) =>
  fromRows(all.map(([s, t]) => ({ s, t })), { source: "s", target: "t" })
const texts = (...all: ReadonlyArray<string>) => fromRows(all.map((t) => ({ t })), { text: "t" })

Deno.test("seq2seq: source and target as the tokenizer has them, each cut alone; the target is its own labels", () => {
  const data = rows(["a b", "c"], ["a", "b c d e a"])
  const { examples, truncated } = encode(data, framed, { maxLength: 5, task: Task.seq2seq() })
  assertEquals(examples.map(({ tokens }) => [...tokens]), [[1, 3, 4, 2], [1, 3, 2]])
  assertEquals(examples.map(({ target }) => [...target!]), [[1, 5, 2], [1, 4, 5, 6, 7]])
  assertEquals(examples.map(({ fields }) => Array.from(fields.labels)), [[1, 5, 2], [1, 4, 5, 6, 7]])
  assertEquals(truncated, 1)
  const shown = preview(encode(rows(["Ok,", "See you"]), tokenizer, { maxLength: 9 }).examples[0], tokenizer)
  assertEquals(shown.filter(({ trained }) => !trained).map(({ text }) => text).join(""), "Ok,")
  const target = shown.filter(({ trained }) => trained)
  assertEquals([target.slice(0, -1).map(({ text }) => text).join(""), target.at(-1)!.id], ["See you", tokenizer.eosId])
  assert(formatPreview(shown).startsWith("O|k|,|[S]|"))
})

Deno.test("a batch of targets has a length of its own", () => {
  const task = Task.seq2seq()
  const data = rows(["a b c d e a b c d e a b c d e a b c", "a"], ["a", "b c"])
  const { examples } = encode(data, framed, { maxLength: 64, task })
  const batch = collate(examples, { task: "t", rows: Int32Array.of(1, -1, 0), length: 24 }, task, 9)
  assertEquals([batch.shape, batch.targetLength, [...batch.lengths]], [[3, 24], 16, [3, 1, 20]])
  const padded = (own: ReadonlyArray<number>) => [...own, ...Array(16 - own.length).fill(MASKED)]
  assertEquals([...batch.fields.labels], [[1, 4, 5, 2], [], [1, 3, 2]].flatMap(padded))
})

Deno.test("wrong sources and targets are errors with their rows", () => {
  const failed = (use: () => unknown) => assertThrows(use, DataError)
  const empty = failed(() => rows(["a", "b"], ["a", ""], ["a", ""]))
  assertEquals([empty.message.includes('column "t" is empty'), empty.rows], [true, [2, 3]])
  const silent = { ...tokenizer, encode: (text: string) => text === "a" ? new Int32Array(0) : tokenizer.encode(text) }
  const lost = failed(() => encode(rows(["b", "b"], ["a", "b"]), silent, { maxLength: 9 }))
  assertEquals([lost.reason, lost.rows], ["EmptyText", [2]])
  const long = failed(() => encode(rows(["a", "b c d e a b"]), framed, { maxLength: 4, truncate: false }))
  assertStringIncludes(long.message, "text of up to 8 tokens where 4 are allowed")
  const beyond = failed(() => encode(rows(["a", "b"]), framed, { maxLength: 9, vocabSize: 4 }))
  assertStringIncludes(beyond.message, "token id 4")
  assertStringIncludes(failed(() => fromRows([{ s: "a" }], { source: "s", target: "t" } as never)).message, "t")
})

/** With twelve sentinels, as the family of such models numbers them: from the largest id down. */
const sentinels: Tokenizer = {
  ...framed,
  vocabSize: 20,
  eosId: 2,
  id: (token) => {
    const number = /^<extra_id_(\d+)>$/.exec(token)?.[1]
    return number === undefined ? framed.id(token) : Number(number) < 12 ? 19 - Number(number) : undefined
  },
  encode: (text) => Int32Array.from(text.split(" ").filter(Boolean), (letter) => letter.charCodeAt(0) - 94),
  addsSpecialTokens: false,
}

Deno.test("spans: how many of how many tokens, and both parts together are the text", () => {
  // By the script of transformers (random_spans_noise_mask).
  assertEquals([2, 3, 10, 17, 50, 512].map((n) => Object.values(spansOf(n, {}))), [
    [1, 1],
    [1, 1],
    [2, 1],
    [3, 1],
    [8, 3],
    [77, 26],
  ])
  const tokens = Int32Array.from({ length: 50 }, (_, i) => 100 + i)
  const seen = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    const { source, target } = corruptSpans(tokens, [9, 8, 7], makeRng(seed))
    seen.add(String(source))
    assertEquals([source.length, target.length], [45, 11])
    assertEquals([...source].filter((id) => id < 100), [9, 8, 7])
    assertEquals([...target].filter((id) => id < 100), [9, 8, 7])
    assert(source[0] === 100 && target[0] === 9 && target.at(-1) === 149)
    const hidden = (sentinel: number) => {
      const from = target.indexOf(sentinel) + 1
      const end = target.findIndex((id, at) => at >= from && id < 100)
      return [...target.slice(from, end < 0 ? undefined : end)]
    }
    assertEquals([...source].flatMap((id) => id < 100 ? hidden(id) : [id]), [...tokens])
  }
  assert(seen.size > 35)
})

Deno.test("span corruption draws anew, always of the same lengths, in blocks too", () => {
  const task = Task.spanCorruption()
  const letters = Array.from({ length: 40 }, (_, i) => "abcde"[i % 5]).join(" ")
  const { examples: [example] } = encode(texts(letters), sentinels, { maxLength: 64, task, vocabSize: 20 })
  assertEquals([example.tokens.length, example.target!.length, example.tokens.at(-1), example.target!.at(-1)], [
    40 - 6 + 2 + 1,
    6 + 2 + 1,
    2,
    2,
  ])
  assertEquals(example.fields.labels, example.target)
  const again = example.draw!(makeRng(1))
  assert(String(again.tokens) !== String(example.tokens) || String(again.target) !== String(example.target))
  assertEquals([again.tokens.length, again.target!.length], [example.tokens.length, example.target!.length])
  assertEquals(example.draw!(makeRng(1)).tokens, again.tokens)
  const blocks = encodeBlocks(texts(letters, letters), sentinels, { blockLength: 20, task })
  assertEquals(blocks.examples.map(({ tokens }) => tokens.length), Array(4).fill(20 - 3 + 1 + 1))
})

Deno.test("what cannot be hidden is an error", () => {
  const task = Task.spanCorruption()
  const message = (text: string, own: Tokenizer, maxLength = 99) =>
    assertThrows(() => encode(texts(text), own, { maxLength, task }), DataError).message
  assertStringIncludes(message("a b", framed), "it has no token <extra_id_0>")
  assertStringIncludes(message("a", sentinels), "nothing to train on")
  const long = Array(400).fill("a").join(" ")
  assertStringIncludes(message(long, sentinels, 500), "20 spans are to be hidden in a text of 400 tokens")
  assertStringIncludes(Task.spanCorruption({ noiseDensity: 1 }).problem!, "noiseDensity must be")
  assertStringIncludes(Task.spanCorruption({ meanSpanLength: 0.5 }).problem!, "meanSpanLength must be")
})
