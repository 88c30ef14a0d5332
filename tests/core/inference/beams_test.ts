/**
 * Beam search of decoders, beside transformers: texts and scores of tests/fixtures/llama/make_beams.py.
 * @module
 */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { beams, type BeamsOptions, generate, load } from "../../../core/inference/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { failure, fixture, run } from "../../support/model_layer.ts"

interface Beams {
  readonly prompts: ReadonlyArray<ReadonlyArray<number>>
  readonly stop: number
  readonly searches: ReadonlyArray<{
    readonly settings: Readonly<Record<string, number | boolean | string>>
    /** Of each prompt. */
    readonly found: ReadonlyArray<ReadonlyArray<{ readonly ids: ReadonlyArray<number>; readonly score: number }>>
  }>
}

/** `num_beams` as `numBeams`. */
const named = (settings: Beams["searches"][number]["settings"]): BeamsOptions =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [name.replace(/_(.)/g, (_, next) => next.toUpperCase()), value]),
  ) as object as BeamsOptions

for (const name of ["llama/llama", "gpt2/plain"]) {
  Deno.test(`${name}: beam search gives the texts and scores that transformers gives`, async () => {
    const { prompts, stop, searches }: Beams = JSON.parse(Deno.readTextFileSync(fixture(`${name}/beams.json`)))
    await run(Effect.gen(function* () {
      const model = yield* load(fixture(name), { task: Task.causalLM() })
      for (const { settings, found } of searches) {
        const options = { ...named(settings), maxNewTokens: 12, stop: [stop] }
        for (const [i, prompt] of prompts.entries()) {
          const texts = yield* beams(model, Int32Array.from(prompt), options)
          assertEquals(texts.map(({ text }) => [...text]), found[i].map(({ ids }) => ids), JSON.stringify(settings))
          for (const [at, { score }] of texts.entries()) {
            assertAlmostEquals(score, found[i][at].score, 1e-4 * Math.max(1, Math.abs(score)))
          }
        }
        const { numReturnSequences: _, ...generating } = options
        const best = yield* generate(model, prompts.map((ids) => Int32Array.from(ids)), generating)
        assertEquals(best.map((ids) => [...ids]), found.map(([{ ids }]) => ids), JSON.stringify(settings))
      }
    }))
    const ends = searches.flatMap(({ found }) => found.flat()).filter(({ ids }) => ids.at(-1) === stop).length
    assert(ends > 0)
  })
}

Deno.test("texts of a search are given as text, best first", async () => {
  const included = decodeURIComponent(new URL("../../../examples/models/espalier-1m", import.meta.url).pathname)
  const options = { numBeams: 4, maxNewTokens: 6 }
  const { texts, best } = await run(Effect.gen(function* () {
    const model = yield* load(included, { task: Task.causalLM() })
    return {
      texts: yield* beams(model, "The president said that", options),
      best: yield* generate(model, "The president said that", options),
    }
  }))
  assertEquals(texts.length, 4)
  assertEquals(texts[0].text, best)
  assertEquals(new Set(texts.map(({ text }) => text)).size, 4)
  assertEquals(texts.map(({ score }) => score).toSorted((a, b) => b - a), texts.map(({ score }) => score))
})

Deno.test("a wrong number of texts is an error", async () => {
  const message = async (options: BeamsOptions) => {
    const searching = Effect.flatMap(
      load(fixture("llama/llama"), { task: Task.causalLM() }),
      (model) => beams(model, Int32Array.of(3, 4), options),
    )
    return (await failure(searching)).message
  }
  for (const numReturnSequences of [0, 4, 1.5, NaN, "2" as never]) {
    assertStringIncludes(
      await message({ numBeams: 3, numReturnSequences }),
      "numReturnSequences must be a whole number from 1 to numBeams, 3, got",
    )
  }
  assertStringIncludes(await message({ numBeams: 0 }), "numBeams must be a whole number from 1 to 16, got 0")
  assertStringIncludes(await message(undefined as never), "options must be an object")
})
