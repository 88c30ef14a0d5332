import { assert, assertEquals } from "@std/assert"
import { collate } from "../../../core/data/batches/batches.ts"
import { type Example, MASKED } from "../../../core/data/encode.ts"
import { packedLength, packOrCollate, packRow } from "../../../core/data/batches/packed_row.ts"
import { Task } from "../../../core/tasks/builtin.ts"

const M = MASKED
const classes = Task.classification(["a", "b"])

Deno.test("lengths of packed rows are few and close to what lies in them", () => {
  const wanted = [[0, 16], [1, 16], [16, 16], [17, 32], [255, 256], [256, 256], [257, 272], [513, 544], [1025, 1088]]
  for (const [tokens, length] of wanted) assertEquals(packedLength(tokens), length)
  const counts = Array.from({ length: 4096 }, (_, i) => i + 1)
  for (const tokens of counts) {
    const length = packedLength(tokens)
    assert(length >= tokens && packedLength(length) === length && (length - tokens) < Math.max(16, tokens / 16))
  }
  assertEquals(new Set(counts.map(packedLength)).size, 32 + 3 * 16)
  const waste = (from: number, to: number) =>
    counts.slice(from, to).reduce((sum, n) => sum + packedLength(n), 0) /
    counts.slice(from, to).reduce((sum, n) => sum + n, 0)
  assert(waste(256, 512) < 1.025 && waste(1024, 4096) < 1.025)
})

Deno.test("arrays of a packed classification batch, with an empty example", () => {
  const all: ReadonlyArray<Example> = [
    { tokens: Int32Array.of(5, 6, 7), fields: { labels: [1] }, index: 0, row: 1 },
    { tokens: Int32Array.of(8), fields: { labels: [0] }, index: 1, row: 2 },
  ]
  const rest = (value: number) => new Array(12).fill(value)
  assertEquals(packRow(all, { task: "t", rows: Int32Array.of(1, -1, 0), length: 4 }, 9, classes, 2), {
    task: "t",
    shape: [1, 16],
    tokens: Int32Array.of(8, 5, 6, 7, ...rest(2)),
    lengths: Int32Array.of(1, 0, 3),
    packed: {
      positions: Int32Array.of(0, 0, 1, 2, ...rest(0)),
      segments: Int32Array.of(0, 2, 2, 2, ...rest(3)),
      first: Int32Array.of(0, 0, 1),
      last: Int32Array.of(0, 0, 3),
      longest: 9,
    },
    exampleWeight: Float32Array.of(1, 0, 1),
    fields: { labels: Int32Array.of(0, M, 1) },
    rows: Int32Array.of(1, -1, 0),
  })
})

Deno.test("no target of a packed language modelling batch crosses into the next example", () => {
  const all: ReadonlyArray<Example> = [
    { tokens: Int32Array.of(5, 6, 7), fields: { labels: [M, 7, M] }, index: 0, row: 1 },
    { tokens: Int32Array.of(8, 9), fields: { labels: [9, M] }, index: 1, row: 2 },
  ]
  const batch = packRow(all, { task: "t", rows: Int32Array.of(0, 1, -1), length: 3 }, 3, Task.causalLM())
  assertEquals(batch.fields.labels, Int32Array.of(M, 7, M, 9, ...new Array(12).fill(M)))
  assertEquals(batch.exampleWeight, Float32Array.of(1))
  const empty = packRow(all, { task: "t", rows: Int32Array.of(-1, -1), length: 3 }, 3, Task.causalLM())
  assertEquals([empty.shape, empty.fields.labels, empty.exampleWeight], [
    [1, 16],
    new Int32Array(16).fill(M),
    Float32Array.of(0),
  ])
})

Deno.test("a micro-batch is packed where that holds fewer tokens, however long the row", () => {
  const examplesOf = (lengths: ReadonlyArray<number>): ReadonlyArray<Example> =>
    lengths.map((length, row) => ({ tokens: new Int32Array(length).fill(1), fields: { labels: [0] }, index: row, row }))
  const layoutOf = (lengths: ReadonlyArray<number>, length: number) => {
    const microBatch = { task: "t", rows: Int32Array.from(lengths.keys()), length }
    const all = examplesOf(lengths)
    const batch = packOrCollate(all, microBatch, Math.max(...lengths), classes)
    if (batch.packed === undefined) assertEquals(batch, collate(all, microBatch, classes))
    return batch.packed === undefined ? "rows" : "packed"
  }
  assertEquals(layoutOf([3, 16, 9], 16), "packed")
  assertEquals(layoutOf([16, 16, 16], 16), "rows")
  assertEquals(layoutOf([15, 16, 16], 16), "rows")
  assertEquals(layoutOf([2048, 1024, 1024], 2048), "packed")
  assertEquals(layoutOf([2048, 1024, 1025], 2048), "packed")
  assertEquals(layoutOf([20_000, 10_000, 10_001], 20_000), "packed")
})
