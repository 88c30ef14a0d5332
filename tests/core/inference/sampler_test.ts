import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import {
  draw,
  keepMinP,
  keepTopK,
  keepTopP,
  likeliest,
  logProbability,
  makeSampler,
  penalizeRepetition,
  wrongSampling,
} from "../../../core/inference/sampler.ts"

/** Logits that any language repeats exactly (Lehmer, modulus 2^31 - 1). */
function logits(count: number, seed: number, range: number): Float32Array {
  let state = seed
  return Float32Array.from({ length: count }, () => {
    state = state * 48271 % 2147483647
    return (state / 2147483647 - 0.5) * range
  })
}
const kept = (values: Float32Array) => [...values.keys()].filter((id) => values[id] !== -Infinity)
const changed = (change: (values: Float32Array) => void, values = logits(60, 7, 16)) => {
  change(values)
  return values
}

// By transformers 4.57.6: the processors of the same names, with these logits and this text.
const TEXT = [3, 17, 3, 42, 59]

Deno.test("each processor does what transformers' does", () => {
  const penalized = changed((values) => penalizeRepetition(values, TEXT, 1.3))
  const expected = [-5.381397724151611, 5.730361461639404, -6.305619716644287, 5.490932464599609]
  const rounding = [3, 17, 42, 59].map((id, i) => Math.abs(penalized[id] - expected[i]) / Math.abs(expected[i]))
  assert(Math.max(...rounding) < 2 ** -23, `${rounding}`)
  assertEquals(kept(changed((values) => keepTopK(values, 7))), [11, 17, 21, 31, 43, 57, 59])
  assertEquals(kept(changed((values) => keepTopP(values, 0.9))), [8, 11, 17, 21, 31, 43, 57, 59])
  assertEquals(kept(changed((values) => keepTopP(values, 0.3))), [17, 21])
  assertEquals(
    kept(changed((values) => keepMinP(values, 0.02))),
    [4, 7, 8, 11, 17, 19, 21, 31, 34, 36, 37, 43, 57, 59],
  )
  const counts = [[97, 142], [100, 144], [106, 160], [106, 149], [108, 162], [106, 148], [101, 142], [102, 147]]
  counts.forEach(([topP, minP], i) => {
    assertEquals(kept(changed((values) => keepTopP(values, 0.8), logits(500, i + 1, 8))).length, topP)
    assertEquals(kept(changed((values) => keepMinP(values, 0.1), logits(500, i + 1, 8))).length, minP)
  })
})

Deno.test("all together, in transformers' order: tokens come as often as they should", () => {
  const ids = [4, 7, 8, 11, 17, 19, 21, 25, 31, 34, 36, 37, 43, 57, 59]
  // deno-fmt-ignore
  const probabilities = [
    0.029238305, 0.032235504, 0.05373049, 0.116673742, 0.063532522, 0.026760093, 0.204500505, 0.019150798, 0.096457224,
    0.027199051, 0.046065609, 0.040348225, 0.107969959, 0.080951855, 0.055186116,
  ]
  const sample = makeSampler({ temperature: 1.7, topK: 20, topP: 0.95, minP: 0.05, repetitionPenalty: 1.3, seed: 5 })
  const counts = new Map<number, number>()
  const draws = 20000
  for (let i = 0; i < draws; i++) {
    const token = sample(logits(60, 7, 16), TEXT)
    counts.set(token, (counts.get(token) ?? 0) + 1)
  }
  assertEquals([...counts.keys()].sort((a, b) => a - b), ids)
  ids.forEach((id, i) => {
    const spread = Math.sqrt(probabilities[i] * (1 - probabilities[i]) / draws)
    assert(Math.abs(counts.get(id)! / draws - probabilities[i]) < 4 * spread, `token ${id}: ${counts.get(id)}`)
  })
})

Deno.test("greedy takes the first of equals; a seed and a stream repeat their draws; bounds of a draw", () => {
  assertEquals(likeliest(Float32Array.of(1, 3, 3, 2)), 1)
  assertEquals(makeSampler({})(Float32Array.of(1, 3, 3, 2), []), 1)
  assertEquals(makeSampler({ repetitionPenalty: 2 })(Float32Array.of(1, 3, 2, -1), [1]), 2)
  const texts = (seed: number, stream: number) => {
    const sample = makeSampler({ temperature: 1, seed }, stream)
    return Array.from({ length: 20 }, () => sample(logits(60, 7, 4), []))
  }
  assertEquals(texts(1, 0), texts(1, 0))
  assert(texts(1, 0).join() !== texts(2, 0).join() && texts(1, 0).join() !== texts(1, 1).join())
  const few = Float32Array.of(-Infinity, 0, -Infinity, 0, -Infinity)
  assertEquals([0, 0.49, 0.51, 1 - 2 ** -53].map((point) => draw(few, point)), [1, 1, 3, 3])
  assert(Math.abs(logProbability(few, 3) - Math.log(0.5)) < 1e-12)
})

Deno.test("options that make no sense are named", () => {
  for (
    const [options, message] of [
      [{ temperature: -1 }, "temperature must be a number from 0, got -1"],
      [{ temperature: NaN }, "got NaN"],
      [{ temperature: 1, topK: 0 }, "topK must be a whole number from 1, got 0"],
      [{ temperature: 1, topP: 0 }, "topP must be a number above 0 up to 1, got 0"],
      [{ temperature: 1, minP: 2 }, "minP must be a number from 0 to 1, got 2"],
      [{ repetitionPenalty: 0 }, "repetitionPenalty must be a number above 0, got 0"],
      [{ seed: -3 }, "seed must be a whole number from 0, got -3"],
      [{ topP: 0.9 }, "topP needs a temperature above 0"],
    ] as const
  ) assertStringIncludes(wrongSampling(options) ?? "", message)
  assertEquals(
    wrongSampling({ temperature: 0.7, topK: 50, topP: 0.9, minP: 0.1, repetitionPenalty: 1.1, seed: 4 }),
    undefined,
  )
})

Deno.test("a temperature near 0 takes the likeliest token, whatever else is cut", () => {
  for (const more of [{}, { topP: 0.9 }, { topK: 2 }, { minP: 0.1 }]) {
    assertEquals(makeSampler({ temperature: 1e-38, ...more })(Float32Array.of(1, 5, 2), []), 1)
  }
})
