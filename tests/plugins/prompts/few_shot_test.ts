import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { load } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { tokenizer } from "../../core/training/support.ts"
import * as Prompts from "../../../plugins/prompts/mod.ts"
import { onWasm } from "../../support/on_wasm.ts"
import { words } from "../retrieval/support.ts"

const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>): Promise<A> =>
  Effect.runPromise(effect.pipe(Effect.provide(NodeFileSystem.layer)))

const examples: ReadonlyArray<Prompts.Example> = [
  { input: "sun and sea", output: "good" },
  { input: "rain and mud", output: "bad" },
  { input: "sun and sand", output: "good" },
  { input: "mud", output: "bad" },
]
const format = Prompts.promptFormat({ instruction: "How is it?", input: "Day: ", output: "So:" })
const made = (query: string, options: Prompts.FewShotOptions = {}) =>
  run(
    Effect.flatMap(Prompts.fewShot(examples, { format, ...options }), ({ prompts }) =>
      Effect.map(prompts([query]), ([prompt]) => prompt)),
  )
const failure = async (given: ReadonlyArray<Prompts.Example>, options: Prompts.FewShotOptions, query = "sun") => {
  const error = await run(
    Effect.flip(Effect.flatMap(Prompts.fewShot(given, options), ({ prompts }) => prompts([query]))),
  )
  return `${(error as { readonly reason?: string }).reason}: ${error.message}`
}

Deno.test("a prompt has instruction, examples and query, the best example last", async () => {
  const { text, examples: rows } = await made("sand and sun", { choose: Prompts.similar(), encoder: words(), count: 2 })
  assertEquals(rows, [0, 2])
  assertEquals(
    text,
    "How is it?\n\nDay: sun and sea\nSo: good\n\nDay: sun and sand\nSo: good\n\nDay: sand and sun\nSo:",
  )
  assertEquals((await made("sun", { count: 100 })).examples.length, 4)
})

Deno.test("examples beyond the budget of tokens are left out, the farthest first", async () => {
  const options = { choose: Prompts.similar(), encoder: words() }
  const all = await made("mud and rain", options)
  const length = (text: string) => tokenizer.encode(text).length
  const some = await made("mud and rain", { ...options, tokenizer, maxTokens: length(all.text) - 1 })
  assertEquals(some.examples, all.examples.slice(1))
  assert(length(some.text) <= length(all.text) - 1)
  const whole = await made("mud and rain", { ...options, tokenizer, maxTokens: length(all.text) })
  assertEquals(whole, all)
  assertStringIncludes(
    await failure(examples, { tokenizer, maxTokens: 3 }),
    "TooLong: maxTokens is 3, and a prompt with one example has ",
  )
})

Deno.test("no examples, labels without examples, and what a choice needs are errors", async () => {
  assertEquals(await failure([], {}), "Empty: there are no examples: give at least one")
  assertEquals(
    await failure(examples, { labels: ["good", "fair"] }),
    'Label: no example has the label "fair"; the examples have "good", "bad"',
  )
  assertEquals(
    await failure(examples, { choose: Prompts.similar() }),
    'BadInput: the choice "similar" looks at vectors: give an encoder',
  )
  assertEquals(
    await failure(examples, { maxTokens: 100 }),
    "BadInput: maxTokens counts tokens: give the model's tokenizer",
  )
  assertStringIncludes(await failure(examples, { count: 0 }), "BadInput: count must be a whole number from 1, got 0")
  assertStringIncludes(await failure(examples, { shots: 3 } as never), 'unknown option "shots"')
})

Deno.test("scores of answers are those of evaluating each alone; calibration takes what prompts say by themselves", () =>
  onWasm(Effect.gen(function* () {
    const directory = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
    const model = yield* load(directory, { task: Task.causalLM(), frozen: true })
    const prompts = ["Once upon a", "The sky is"], answers = [" time", " blue and clear"]
    const scores = yield* Prompts.labelScores(model, prompts, answers)
    for (const [i, prompt] of prompts.entries()) {
      for (const [k, answer] of answers.entries()) {
        const [[alone]] = yield* Prompts.labelScores(model, [prompt], [answer])
        assert(Math.abs(alone - scores[i][k]) < 1e-4)
      }
    }
    assert(scores[0][0] > scores[0][1], "a story begins another way")
    const calibrated = Prompts.calibrated([[-1, -2], [-3, -1]], [[-1, -3], [-3, -5]])
    assertEquals(calibrated, [[1, 2], [-1, 3]])
    assertEquals(Prompts.bestOf(calibrated), [1, 1])
    const error = yield* Effect.flip(Prompts.labelScores(model, prompts, []))
    assertEquals(error.message, "scores need prompts and answers, got 2 and 0")
  })))
