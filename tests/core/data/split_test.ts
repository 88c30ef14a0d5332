import { assert, assertEquals } from "@std/assert"
import { fromRows, rows, split as splitEffect } from "../../../core/tasks/dataset/dataset.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { splitData } from "../../../core/data/split/split.ts"
import { normalizeText } from "../../../core/data/split/text_keys.ts"
import { failure, run } from "./support.ts"

/** Messages with many copies that differ in case and white space alone, and labels of unlike frequency. */
const messages = (seed: number) => {
  const rng = makeRng(seed)
  const count = 20 + rng.int(400)
  const words = ["Win", "a", "prize", "now", "ok", "later", "É"]
  return Array.from({ length: count }, (_, index) => {
    const chosen = Array.from({ length: 1 + rng.int(4) }, () => words[rng.int(words.length)])
    const text = chosen.join(rng.int(2) === 0 ? " " : " \t ")
    const label = index < 3 ? `c${index}` : `c${Math.min(2, rng.int(20))}`
    return { text: rng.int(3) === 0 ? ` ${text.toUpperCase()}` : `${text}`, label }
  })
}

Deno.test("no test row, normalized, stands in training; every row is in one part, and each class has its share", () => {
  for (let seed = 0; seed < 60; seed++) {
    const data = fromRows(messages(seed), { text: "text", label: "label" })
    const splits = splitData(data, { validation: 0.15, test: 0.2, seed })
    const parts = [splits.train, splits.validation, splits.test]
    const keys = parts.map((part) => new Set(part.rows.map((row) => normalizeText(row.text))))
    const different = new Set(data.rows.map((row) => normalizeText(row.text)))
    const examples = new Set(data.rows.map((row) => `${row.label} ${normalizeText(row.text)}`))
    const placed = parts.flatMap((part) => part.rows)
    assertEquals(keys.reduce((sum, key) => sum + key.size, 0), different.size)
    assertEquals(new Set(keys.flatMap((key) => [...key])), different)
    assertEquals(placed.length, examples.size)
    assertEquals(placed.length + splits.removedDuplicates, data.rows.length)
    assertEquals(keys[2].size, Math.round(different.size * 0.2))
    // A text with several labels counts once, for its first.
    const first = new Map(data.rows.toReversed().map((row) => [normalizeText(row.text), row.label]))
    for (const id of data.labels.keys()) {
      const size = [...first.values()].filter((label) => label === id).length
      const inTest = [...keys[2]].filter((key) => first.get(key) === id).length
      assert(Math.abs(inTest - size * 0.2) < 1, `seed ${seed}, class ${id}: ${inTest} of ${size}`)
    }
  }
})

Deno.test("a split is a function of its seed", () => {
  const data = fromRows(messages(3), { text: "text", label: "label" })
  const again = fromRows(messages(3), { text: "text", label: "label" })
  assertEquals(splitData(data, { seed: 7 }), splitData(again, { seed: 7 }))
  const order = (seed: number) => splitData(data, { seed }).test.rows.map((row) => row.row).join()
  assert(order(7) !== order(8))
})

Deno.test("the first of rows that differ in case and space is kept; one with another label is kept and told", () => {
  const texts = ["Call NOW", "call  now ", "call now\n", "b", "c", "d", "e"]
  const labels = ["spam", "ham", "spam", "ham", "spam", "ham", "spam"]
  const data = fromRows(texts.map((text, index) => ({ text, label: labels[index] })), { text: "text", label: "label" })
  const splits = splitData(data, { validation: 0, test: 0.3 })
  assertEquals([splits.removedDuplicates, splits.conflictingLabels], [1, 1])
  assertEquals(splits.duplicates, [{ row: 3, of: 1, text: "call now\n" }])
  assertEquals(splits.conflicts, [{ rows: [1, 2], labels: ["spam", "ham"], text: "Call NOW" }])
  assertEquals(splits.validation.rows.length, 0)
  const kept = [...splits.train.rows, ...splits.test.rows].map((row) => row.row).sort((a, b) => a - b)
  assertEquals(kept, [1, 2, 4, 5, 6, 7])
})

Deno.test("one prompt may have more rows than a call takes arguments", () => {
  const many = Array.from({ length: 150_000 }, (_, i) => ({ p: "Tell a story", c: `story ${i}` }))
  const others = Array.from({ length: 6 }, (_, i) => ({ p: `prompt ${i}`, c: "answer" }))
  const { train, validation, test } = splitData(fromRows([...many, ...others], { prompt: "p", completion: "c" }), {
    validation: 0,
    test: 1e-5,
    seed: 5,
  })
  assertEquals([train, validation, test].reduce((sum, { rows }) => sum + rows.length, 0), 150_006)
})

Deno.test("rows of one prompt stay together", () => {
  const pairs = Array.from({ length: 90 }, (_, index) => ({ p: `Prompt ${index % 30}`, c: `answer ${index}` }))
  const splits = splitData(fromRows(pairs, { prompt: "p", completion: "c" }), { validation: 0.1, test: 0.2, seed: 1 })
  assertEquals([splits.train, splits.validation, splits.test].map((part) => part.rows.length), [63, 9, 18])
  const seen = new Set(splits.train.rows.map((row) => row.prompt))
  assert(splits.test.rows.every((row) => !seen.has(row.prompt)))
})

Deno.test("shares out of range and empty parts are errors", async () => {
  const data = rows([{ t: "a" }, { t: "b" }, { t: "c" }], { text: "t" })
  for (const options of [{ test: -0.1 }, { test: 0.5, validation: 0.5 }, { test: Number.NaN }, { seed: 0.5 }, {}]) {
    assertEquals((await failure(splitEffect(options)(data))).reason, "Split", JSON.stringify(options))
  }
  const splits = await run(data.pipe(splitEffect({ test: 0.34, validation: 0 })))
  assertEquals([splits.train.rows.length, splits.test.rows.length], [2, 1])
})
