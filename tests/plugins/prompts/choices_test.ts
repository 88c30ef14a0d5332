import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { DataError } from "../../../core/data/data_error.ts"
import * as Prompts from "../../../plugins/prompts/mod.ts"
import { vectorsOf } from "../../../plugins/retrieval/mod.ts"

const rng = makeRng(11)
const WIDTH = 8
const unit = (near?: Float32Array, spread = 1) => {
  const vector = Float32Array.from({ length: WIDTH }, (_, i) => (near?.[i] ?? 0) + spread * rng.normal())
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}
const product = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0)

const centres = Array.from({ length: 4 }, () => unit())
/** 40 vectors around four centres; most are near the first. */
const all = Array.from({ length: 40 }, (_, i) => unit(centres[i < 28 ? 0 : i % 4], 0.15))
const pool: Prompts.Pool = { labels: all.map((_, i) => i < 30 ? "a" : "b"), vectors: vectorsOf(all) }
const query = unit(centres[0], 0.1)

const chosen = (choice: Prompts.Choice, count = 6) => choice.from(pool, count)(query)

Deno.test("random examples are the same for every query, and others for another seed", () => {
  const first = chosen(Prompts.random())
  assertEquals(new Set(first).size, 6)
  assertEquals(chosen(Prompts.random()), first)
  assert(chosen(Prompts.random({ seed: 1 })).join() !== first.join())
  assertEquals(chosen(Prompts.random(), 100).length, 40)
})

Deno.test("similar examples are those with the largest cosine", () => {
  const cosines = all.map((vector) => product(vector, query))
  assertEquals(chosen(Prompts.similar()), cosines.map((_, i) => i).sort((a, b) => cosines[b] - cosines[a]).slice(0, 6))
})

Deno.test("diverse examples are those of maximal marginal relevance by its definition", () => {
  for (const lambda of [0, 0.3, 0.5, 1]) {
    const expected: Array<number> = []
    while (expected.length < 6) {
      const worth = all.map((vector, i) =>
        expected.includes(i) ? -Infinity : lambda * product(vector, query) -
          (1 - lambda) * (expected.length === 0 ? 0 : Math.max(...expected.map((other) => product(vector, all[other]))))
      )
      expected.push(worth.indexOf(Math.max(...worth)))
    }
    assertEquals(chosen(Prompts.diverse({ lambda })), expected, `lambda ${lambda}`)
  }
  assertEquals(chosen(Prompts.diverse({ lambda: 1 })), chosen(Prompts.similar()))
  const { message } = assertThrows(() => Prompts.diverse({ lambda: 2 }), DataError)
  assertStringIncludes(message, "lambda must be a number from 0 and at most 1, got 2")
})

Deno.test("covering examples are greedy by the sum of nearest cosines, and reach every cluster", () => {
  const worth = (rows: ReadonlyArray<number>) =>
    all.reduce((sum, vector) => sum + Math.max(0, ...rows.map((row) => product(vector, all[row]))), 0)
  const expected: Array<number> = []
  while (expected.length < 6) {
    const gains = all.map((_, row) => expected.includes(row) ? -Infinity : worth([...expected, row]))
    expected.push(gains.indexOf(Math.max(...gains)))
  }
  const found = chosen(Prompts.covering())
  assert(Math.abs(worth(found) - worth(expected)) < 1e-4, `${found} ${expected}`)
  const clusters = found.slice(0, 4).map((row) => {
    const near = centres.map((centre) => product(centre, all[row]))
    return near.indexOf(Math.max(...near))
  })
  assertEquals(new Set(clusters).size, 4)
  assertEquals(chosen(Prompts.covering(), 100).length, 40)
})

Deno.test("balanced examples take labels in turns, each chosen as before among its own", () => {
  const found = chosen(Prompts.balanced(Prompts.similar()))
  assertEquals(found.map((row) => pool.labels[row]), ["a", "b", "a", "b", "a", "b"])
  const order = chosen(Prompts.similar(), 40)
  for (const label of ["a", "b"]) {
    const own = found.filter((row) => pool.labels[row] === label)
    assertEquals(own, order.filter((row) => pool.labels[row] === label).slice(0, 3))
  }
  assertEquals(chosen(Prompts.balanced(Prompts.random()), 5).length, 5)
  assertEquals(Prompts.balanced(Prompts.similar()).name, "balanced similar")
})
