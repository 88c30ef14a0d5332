import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { engine, load, type Model } from "../../../core/inference/mod.ts"
import { answered, rankTexts, scoreTokens } from "../../../core/inference/text/mod.ts"
import { loadTokenizer } from "../../../core/data/tokenizer_files/load_tokenizer.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { Espalier } from "../../../mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"

const directory = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname

const withModel = <A, E>(
  use: (model: Model, tokenizer: Tokenizer) => Effect.Effect<A, E, Espalier.Services | Scope.Scope>,
) => {
  const services = Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })
  const methods = Layer.mergeAll(Llama.layer, Lora.layer({ r: 2, initLoraWeights: false }))
  const program = Effect.gen(function* () {
    const model = yield* load(directory, { task: Task.causalLM() })
    return yield* use(model, yield* loadTokenizer(directory))
  })
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Layer.provideMerge(methods, services))))
}

const near = (a: number, b: number) => assert(Math.abs(a - b) < 1e-4, `${a} is not ${b}`)

Deno.test("the tokens of a text have the probabilities that they had when they were written, the likeliest ones too", async () => {
  await withModel((model, tokenizer) =>
    Effect.gen(function* () {
      for (const plugin of ["lora/default", ""]) {
        const rows = yield* engine(model, { plugins: ["lora/default"] })
        const prompts = ["Once upon a time", "She", "It was raining and the old man said"].map((text) =>
          tokenizer.encode(text)
        )
        const options = { maxNewTokens: 15, temperature: 1, topLogProbabilities: 3, plugin }
        const written = yield* Effect.forEach(prompts, (prompt, seed) =>
          answered(rows, tokenizer, prompt, { ...options, seed }), { concurrency: "unbounded" })
        const lists = prompts.map((prompt, i) => [
          ...prompt,
          ...written[i].tokens.map(({ token }) =>
            token
          ),
        ])
        const plugins = lists.map(() => plugin)
        const scored = yield* scoreTokens(model, lists, { topLogProbabilities: 3, plugins })
        for (const [i, list] of scored.entries()) {
          assertEquals(list.map(({ token }) => token), lists[i])
          assertEquals(Object.keys(list[0]), ["token"])
          for (const [j, { logProbability, alternatives }] of list.slice(prompts[i].length).entries()) {
            const own = written[i].tokens[j]
            near(logProbability!, own.logProbability!)
            assertEquals(alternatives!.map(({ token }) => token), own.alternatives!.map(({ token }) => token))
            alternatives!.forEach(({ logProbability }, k) => near(logProbability, own.alternatives![k].logProbability))
          }
        }
        const alone = yield* Effect.forEach(lists, (list) => scoreTokens(model, [list], { plugins: [plugin] }))
        alone.forEach(([list], i) =>
          list.slice(1).forEach((one, j) => near(one.logProbability!, scored[i][j + 1].logProbability!))
        )
      }
    })
  )
})

Deno.test("texts after a prompt are ranked by their probability; one that the model writes comes first", async () => {
  await withModel((model, tokenizer) =>
    Effect.gen(function* () {
      const rows = yield* engine(model)
      const prompt = "It was raining and"
      const { text } = yield* answered(rows, tokenizer, prompt, { maxNewTokens: 6 })
      const texts = ["zebra xylophone qu", text, text.slice(0, 8) + "QQQ"]
      const ranked = yield* rankTexts(model, tokenizer, prompt, texts)
      assertEquals(ranked.map(({ text }) => text), texts)
      near(ranked.reduce((sum, { probability }) => sum + probability, 0), 1)
      assert(ranked[1].probability > 0.9, JSON.stringify(ranked))
      for (const one of ranked) {
        near(Math.log(one.probability / ranked[1].probability), one.logProbability - ranked[1].logProbability)
      }
      // Without a plugin the base model writes otherwise.
      const base = yield* rankTexts(model, tokenizer, prompt, texts, { methods: false })
      assert(base[1].logProbability !== ranked[1].logProbability)
    })
  )
})

Deno.test("what cannot be scored is a typed error", async () => {
  await withModel((model, tokenizer) =>
    Effect.gen(function* () {
      for (
        const [lists, options, message] of [
          [[[]], {}, "a list of 0 tokens must be 1 to"],
          [[[1, 99999]], {}, "a list has the"],
          [[[1]], { plugins: [] }, "plugins must name one for each of 1 lists, got 0"],
          [[[1]], { adapters: ["a"] }, "Model.withAdapters"],
          [[[1]], { topLogProbabilities: 0.5 }, "topLogProbabilities must be"],
          [[[1]], { top: 1 }, 'unknown option "top"'],
        ] as ReadonlyArray<readonly [Array<Array<number>>, object, string]>
      ) {
        assertStringIncludes((yield* Effect.flip(scoreTokens(model, lists, options))).message, message)
      }
      assertStringIncludes((yield* Effect.flip(rankTexts(model, tokenizer, "a", []))).message, "at least one")
    })
  )
})
