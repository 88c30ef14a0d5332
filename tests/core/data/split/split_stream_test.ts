/**
 * Division of streams.
 */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { splitStream } from "../../../../core/data/split/split_stream.ts"
import type { StreamedData } from "../../../../core/data/data.ts"
import { type TextRow, textRows } from "../../../../core/tasks/causal_lm.ts"

/** A stream of so many rows, in chunks of 7. */
const streamOf = (texts: ReadonlyArray<string>, window: number): StreamedData<TextRow> => ({
  kind: textRows,
  source: "made",
  unit: "row",
  labels: [],
  window,
  chunks: {
    async *[Symbol.asyncIterator]() {
      for (let at = 0; at < texts.length; at += 7) {
        yield texts.slice(at, at + 7).map((text, i) => ({ text, row: at + i + 1 }))
      }
    },
  },
})

const split = async (texts: ReadonlyArray<string>, window: number, options: Parameters<typeof splitStream>[0]) => {
  const parts = await Effect.runPromise(splitStream(options)(Effect.succeed(streamOf(texts, window))))
  const train: Array<TextRow> = []
  for await (const rows of parts.train.chunks) train.push(...rows)
  return { ...parts, rows: { train, validation: parts.validation.rows, test: parts.test.rows } }
}

const numbered = Array.from({ length: 1000 }, (_, i) => `text ${i}`)

Deno.test("every row is in one part, in the order of the source, and the rest is counted", async () => {
  const { train, rows } = await split(numbered, 400, { validation: 0.1, test: 0.2, seed: 3 })
  assertEquals([rows.validation.length, rows.test.length, train.count], [100, 200, 700])
  assertEquals(rows.train.length, 700)
  const all = Object.values(rows).flat().map(({ row }) => row)
  assertEquals(all.toSorted((a, b) => a - b), numbered.map((_, i) => i + 1))
  for (const part of Object.values(rows)) {
    assertEquals(part.map(({ row }) => row), part.map(({ row }) => row).toSorted((a, b) => a - b))
  }
  // They are spread over the stream.
  assert(rows.test.filter(({ row }) => row <= 500).length > 70)
  assertEquals(await split(numbered, 400, { validation: 0.1, test: 0.2, seed: 3 }).then(({ rows }) => rows), rows)
  assertNotEquals((await split(numbered, 400, { validation: 0.1, test: 0.2, seed: 4 })).rows.test, rows.test)
})

Deno.test("no more than a window is held for each part; all others are trained on", async () => {
  const { rows, train } = await split(numbered, 20, { validation: 0.3, test: 0.3 })
  assertEquals([rows.validation.length, rows.test.length, rows.train.length, train.count], [20, 20, 960, 960])
})

Deno.test("texts that are equal but for case and spaces are in one part", async () => {
  const texts = Array.from({ length: 600 }, (_, i) => i % 3 === 0 ? `Text  ${i % 100}` : `text ${i % 100}`)
  const { rows } = await split(texts, 600, { validation: 0.2, test: 0.2 })
  const keys = Object.values(rows).map((part) =>
    new Set(part.map(({ text }) => text.toLowerCase().replace(/ +/g, " ")))
  )
  assertEquals(keys.reduce((sum, { size }) => sum + size, 0), 100)
  assertEquals(rows.train.length + rows.validation.length + rows.test.length, 600)
  assert(rows.test.length > 60 && rows.validation.length > 60)
})

Deno.test("shares out of range and parts without rows are errors", async () => {
  const failing = (texts: ReadonlyArray<string>, options: Parameters<typeof splitStream>[0]) =>
    Effect.runPromise(Effect.flip(splitStream(options)(Effect.succeed(streamOf(texts, 8)))))
  assertStringIncludes((await failing(numbered, { validation: 0.6, test: 0.6 })).message, "must be below 1 together")
  assertStringIncludes(
    (await failing(["a", "b"], { validation: 0.1 })).message,
    "no row is left for validation: 2 rows",
  )
})
