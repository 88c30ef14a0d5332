/**
 * Prints how many of the nearest vectors each way of searching finds, and by how much scores are off.
 * @module
 */
import * as Effect from "effect/Effect"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import * as Retrieval from "../../../plugins/retrieval/mod.ts"

// Native, 26 MB: named by this process alone, as whoever has a use for it installs it.
const PACKAGE = "npm:usearch@2.26.2"
const { default: usearch } = await import(PACKAGE) as {
  readonly default: { readonly Index: Retrieval.UsearchIndex }
}

const [rows, width, queries, count] = [2000, 16, 50, 10]
const rng = makeRng(3)
const unit = () => {
  const vector = Float32Array.from({ length: width }, rng.normal)
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}
const all = Array.from({ length: rows }, unit)
const vectors = Retrieval.vectorsOf(all)
const ways = {
  exact: Retrieval.exact(),
  graph: Retrieval.approximate(usearch.Index),
  coarse: Retrieval.approximate(usearch.Index, { connectivity: 2, expansionAdd: 4, expansionSearch: 2 }),
}
const found: Record<string, number> = {}
let error = 0
for (const [name, way] of Object.entries(ways)) {
  const { nearest } = await Effect.runPromise(way.over(vectors))
  found[name] = 0
  for (let i = 0; i < queries; i++) {
    const query = all[i * 7].map((value, at) => value + 0.1 * all[i * 11 + 1][at])
    const cosines = all.map((vector) => vector.reduce((sum, value, at) => sum + value * query[at], 0))
    const expected = cosines.map((_, row) => row).sort((a, b) => cosines[b] - cosines[a]).slice(0, count)
    for (const { index, score } of nearest(query, count)) {
      if (expected.includes(index)) found[name] += 1 / (queries * count)
      error = Math.max(error, Math.abs(score - cosines[index]))
    }
  }
  found[name] = Math.round(1000 * found[name]) / 1000
}
const exact = await Effect.runPromise(ways.exact.over(vectors))
const wrong = await Effect.runPromise(
  Effect.flip(Retrieval.approximate(usearch.Index, { connectivity: 1 }).over(vectors)),
)
console.log(JSON.stringify({ ...found, error, all: exact.nearest(all[0], 5000).length, wrong: wrong.message }))
