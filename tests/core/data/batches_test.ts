import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import type { BatchSource } from "../../../core/contracts/batch_source.ts"
import { makeBatchSource } from "../../../core/data/batches/batch_source.ts"
import { bucketLength, collate, makeBatches } from "../../../core/data/batches/batches.ts"
import { DataError } from "../../../core/data/data_error.ts"
import { type Example, MASKED } from "../../../core/data/encode.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"

const examples = (count: number, seed = 1): ReadonlyArray<Example> => {
  const rng = makeRng(seed)
  return Array.from({ length: count }, (_, row) => {
    const tokens = Int32Array.from({ length: 2 + rng.int(99) ** 2 / 99 }, () => 1 + rng.int(50))
    return { tokens, fields: { labels: [row % 3] }, index: row, row: row + 1 }
  })
}

Deno.test("buckets grow geometrically up to the largest length", () => {
  const lengths = [1, 16, 17, 25, 33, 49, 65, 97, 129, 193, 257, 300]
  const buckets = [16, 16, 24, 32, 48, 64, 96, 128, 192, 256, 300, 300]
  assertEquals(lengths.map((length) => bucketLength(length, 300)), buckets)
  assertEquals(bucketLength(3, 10), 10)
})

Deno.test("every example once an epoch, in an order that seed and epoch alone decide", () => {
  for (
    const [count, batchSize, accumulation, sortWindow] of [[103, 8, 1, 8], [64, 16, 2, 1], [5, 8, 3, 4], [97, 1, 4, 2]]
  ) {
    const all = examples(count)
    const options = { batchSize, accumulation, sortWindow, maxLength: 128, seed: 3 }
    const source = makeBatches(all, options)
    const orders = [0, 1].map((epoch) => {
      const steps = source.epoch(epoch)
      assertEquals(steps.length, source.steps)
      assertEquals(steps, makeBatches(all, options).epoch(epoch))
      const microBatches = steps.flatMap((step) => step.microBatches)
      assert(steps.slice(0, -1).every((step) => step.microBatches.length === accumulation))
      assertEquals(microBatches.length, Math.ceil(count / batchSize))
      for (const { rows, length } of microBatches) {
        assertEquals(rows.length, batchSize)
        const longest = Math.max(...[...rows].filter((row) => row >= 0).map((row) => all[row].tokens.length))
        assertEquals(length, bucketLength(longest, 128))
      }
      const rows = microBatches.flatMap((microBatch) => [...microBatch.rows]).filter((row) => row >= 0)
      assertEquals(rows.toSorted((a, b) => a - b), [...all.keys()])
      return rows.join()
    })
    // A single batch has only one order: that of its lengths.
    if (count <= batchSize) continue
    assert(orders[0] !== orders[1])
    assert(
      orders[0] !==
        makeBatches(all, { ...options, seed: 4 }).epoch(0).flatMap((step) =>
          step.microBatches.flatMap((microBatch) => [...microBatch.rows])
        ).filter((row) => row >= 0).join(),
    )
  }
})

Deno.test("sorting by length saves padding; a window of one step leaves the draw of a step alone", () => {
  const all = examples(800)
  const tokens = all.reduce((sum, example) => sum + example.tokens.length, 0)
  const waste = (sortWindow: number, shuffle = true) => {
    const source = makeBatches(all, { batchSize: 16, maxLength: 128, sortWindow, shuffle })
    const microBatches = source.epoch(0).flatMap((step) => step.microBatches)
    return microBatches.reduce((sum, { rows, length }) => sum + rows.length * length, 0) / tokens
  }
  assert(waste(8) < 1.6 && waste(1) > 2, `${waste(8)} ${waste(1)}`)
  assert(waste(1, false) < waste(8))
  const rowsOf = (accumulation: number, batchSize: number) =>
    makeBatches(all, { batchSize, accumulation, maxLength: 128, sortWindow: 1 }).epoch(2).map((step) =>
      step.microBatches.flatMap((microBatch) => [...microBatch.rows]).sort((a, b) => a - b)
    )
  assertEquals(rowsOf(4, 4), rowsOf(1, 16))
})

Deno.test("dealt evenly, micro-batches hold about the same number of tokens, and every row comes once", () => {
  for (const [count, batchSize, accumulation] of [[800, 16, 1], [803, 8, 4], [5, 8, 1], [1100, 16, 1]]) {
    const all = examples(count)
    const draw = (epoch: number, even = true) =>
      makeBatches(all, { batchSize, accumulation, maxLength: 128, seed: 5, even }).epoch(epoch)
        .flatMap(({ microBatches }) => microBatches.map(({ rows }) => [...rows].filter((row) => row >= 0)))
    const parts = draw(0)
    assertEquals(parts.flat().toSorted((a, b) => a - b), [...all.keys()])
    assertEquals(parts.length, Math.ceil(count / batchSize))
    const full = (some: ReadonlyArray<ReadonlyArray<number>>) => some.filter(({ length }) => length === batchSize)
    assertEquals(full(parts).length, Math.floor(count / batchSize))
    if (full(parts).length < 2) continue
    const spread = (some: ReadonlyArray<ReadonlyArray<number>>) => {
      const tokens = full(some).map((rows) => rows.reduce((sum, row) => sum + all[row].tokens.length, 0))
      return (Math.max(...tokens) - Math.min(...tokens)) / Math.max(...tokens)
    }
    assert(spread(parts) < 0.2 && spread(draw(0, false)) > 0.4, `${spread(parts)} ${spread(draw(0, false))}`)
    assertEquals(parts, draw(0))
    assert(parts.join() !== draw(1).join())
  }
})

Deno.test("a source draws the same step at a position, whatever was drawn before", () => {
  const options = { batchSize: 4, accumulation: 2, maxLength: 128 }
  const tasks = { long: { examples: examples(50) }, short: { examples: examples(9, 2) } }
  const draw = (source: BatchSource, epoch: number, step: number) =>
    Effect.runSync(source.next({ epoch, step }, []))!.microBatches
  const source = makeBatchSource(tasks, options)
  assertEquals(source.steps(0), 9)
  const positions = Array.from({ length: 27 }, (_, i) => [Math.floor(i / 9), i % 9] as const)
  const all = positions.map(([epoch, step]) => draw(source, epoch, step))
  for (const at of [0, 8, 9, 13, 26]) {
    assertEquals(draw(makeBatchSource(tasks, options), ...positions[at]), all[at])
  }
  const long = makeBatches(tasks.long.examples, { ...options, task: "long" })
  assertEquals(long.steps, long.epoch(0).length)
  // Each step is of one task; those of a task are its own, in an order that differs from epoch to epoch.
  const sorted = (steps: ReadonlyArray<unknown>) => steps.map((step) => JSON.stringify(step)).sort()
  const drawn = all.slice(9, 18).filter(([{ task }]) => task === "long")
  assertEquals(sorted(drawn), sorted(long.epoch(1).map(({ microBatches }) => microBatches)))
  assert(all.every((own) => new Set(own.map(({ task }) => task)).size === 1))
  const order = (epoch: number) => all.slice(9 * epoch, 9 * epoch + 9).map(([{ task }]) => task)
  assertEquals([0, 1, 2].map((epoch) => order(epoch).filter((task) => task === "short").length), [2, 2, 2])
  assert(`${order(0)}` !== `${order(1)}` || `${order(1)}` !== `${order(2)}`)
})

Deno.test("arrays of a classification batch, with an empty row", () => {
  const all: ReadonlyArray<Example> = [
    { tokens: Int32Array.of(5, 6, 7), fields: { labels: [1] }, index: 0, row: 1 },
    { tokens: Int32Array.of(8), fields: { labels: [0] }, index: 1, row: 2 },
  ]
  assertEquals(
    collate(all, { task: "t", rows: Int32Array.of(1, -1, 0), length: 4 }, Task.classification(["a", "b"]), 9),
    {
      task: "t",
      shape: [3, 4],
      tokens: Int32Array.of(8, 9, 9, 9, 9, 9, 9, 9, 5, 6, 7, 9),
      lengths: Int32Array.of(1, 1, 3),
      exampleWeight: Float32Array.of(1, 0, 1),
      fields: { labels: Int32Array.of(0, MASKED, 1) },
      rows: Int32Array.of(1, -1, 0),
    },
  )
})

Deno.test("targets of a language modelling batch are the tokens that follow", () => {
  const all: ReadonlyArray<Example> = [
    { tokens: Int32Array.of(5, 6, 7), fields: { labels: [MASKED, 7, MASKED] }, index: 0, row: 1 },
    { tokens: Int32Array.of(8, 9), fields: { labels: [9, MASKED] }, index: 1, row: 2 },
  ]
  const batch = collate(all, { task: "t", rows: Int32Array.of(0, 1, -1), length: 3 }, Task.causalLM())
  const M = MASKED
  assertEquals(batch.fields.labels, Int32Array.of(M, 7, M, 9, M, M, M, M, M))
  // The labels of a full row end with its last target masked.
  assertEquals(batch.tokens, Int32Array.of(5, 6, 7, 8, 9, 0, 0, 0, 0))
})

Deno.test("sizes that make no sense are errors", () => {
  for (
    const options of [{ batchSize: 0 }, { batchSize: 1.5 }, { accumulation: 0 }, { sortWindow: 0 }, { maxLength: 0 }]
  ) {
    const error = assertThrows(() => makeBatches([], { batchSize: 1, maxLength: 8, ...options }), DataError)
    assertEquals(error.reason, "BadInput")
  }
  const error = assertThrows(() => makeBatches(examples(9), { batchSize: 1, maxLength: 4 }), DataError)
  assertEquals(error.reason, "TooLong")
})
