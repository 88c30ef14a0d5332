import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { generate, load, type Model } from "../../../../core/inference/mod.ts"
import { sharedEngine } from "../../../../core/inference/shared_engines.ts"
import { generateStream } from "../../../../core/inference/text/generate_stream.ts"
import { loadTokenizer } from "../../../../core/data/tokenizer_files/load_tokenizer.ts"
import { Task } from "../../../../core/tasks/builtin.ts"
import { Espalier } from "../../../../mod.ts"
import * as Llama from "../../../../plugins/llama/mod.ts"
import * as Lora from "../../../../plugins/lora/mod.ts"

const directory = new URL("../../../../examples/models/espalier-1m", import.meta.url).pathname

const withModel = <A, E>(use: (model: Model) => Effect.Effect<A, E, Espalier.Services>) => {
  const lora = Lora.layer({ r: 2, initLoraWeights: false })
  const all = Layer.mergeAll(lora, Llama.layer).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })),
  )
  const program = Effect.flatMap(load(directory, { task: Task.causalLM() }), use)
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
}

const joined = (pieces: Iterable<string>) => [...pieces].join("")

Deno.test("a stream gives in pieces the text that generate gives, drawn or not, through a plugin or not", async () => {
  await withModel((model) =>
    Effect.gen(function* () {
      const prompt = "Once upon a time"
      for (
        const [options, plugins] of [
          [{ maxNewTokens: 40 }],
          [{ maxNewTokens: 90, temperature: 1, seed: 5 }],
          [{ maxNewTokens: 20, methods: false }],
          [{ maxNewTokens: 20, plugin: "lora/default" }, ["lora/default"]],
          [{ maxNewTokens: 20, plugin: "" }, [""]],
        ] as const
      ) {
        const { plugin: _, ...rest } = { plugin: "", ...options }
        const [whole] = yield* generate(model, [prompt], { ...rest, ...plugins === undefined ? {} : { plugins } })
        const pieces = yield* Stream.runCollect(generateStream(model, prompt, options))
        assertEquals(joined(pieces), whole)
        assert([...pieces].length > 5 && whole.length > 20, whole)
      }
    })
  )
})

Deno.test("streams and texts of one model run together, whoever asks for the steps", async () => {
  await withModel((model) =>
    Effect.gen(function* () {
      const prompts = ["The", "She looked", "It was raining and"]
      const alone = yield* Effect.forEach(prompts, (prompt) => generate(model, prompt, { maxNewTokens: 30 }))
      const slow = generateStream(model, prompts[0], { maxNewTokens: 30 }).pipe(
        Stream.tap(() => Effect.sleep(5)),
        Stream.runCollect,
        Effect.map(joined),
      )
      const quick = Effect.map(Stream.runCollect(generateStream(model, prompts[1], { maxNewTokens: 30 })), joined)
      const whole = generate(model, prompts[2], { maxNewTokens: 30 })
      assertEquals(
        yield* Effect.all([slow, quick, whole], { concurrency: "unbounded" }),
        alone as [string, string, string],
      )
    })
  )
})

Deno.test("a stream that is left or interrupted frees its row", async () => {
  await withModel((model) =>
    Effect.gen(function* () {
      const engine = sharedEngine(model, { methods: true })
      const rows = Effect.map(Effect.promise(engine.next), ({ size }) => size)
      const all = generateStream(model, "The", { maxNewTokens: 200 })
      yield* Stream.runDrain(Stream.take(all, 2))
      assertEquals(yield* rows, 0)
      const fiber = yield* Effect.forkChild(Stream.runDrain(Stream.tap(all, () => Effect.sleep(2))))
      yield* Effect.sleep(100)
      assertEquals(yield* rows, 1)
      yield* Fiber.interrupt(fiber)
      assertEquals(yield* rows, 0)
    })
  )
})

Deno.test("a token that ends the text ends the stream; token ids are a prompt too; bad input is a typed error", async () => {
  await withModel((model) =>
    Effect.gen(function* () {
      const { encode } = yield* loadTokenizer(directory)
      const ids = encode("The")
      const made = yield* generate(model, ids, { maxNewTokens: 30 })
      const options = { maxNewTokens: 30, stop: [made[12]] }
      const whole = yield* generate(model, "The", options)
      const stopped = joined(yield* Stream.runCollect(generateStream(model, "The", options)))
      const long = joined(yield* Stream.runCollect(generateStream(model, ids, { maxNewTokens: 30 })))
      assertEquals(stopped, whole)
      assert(long.startsWith(stopped) && long.length > stopped.length, `${long} ${stopped}`)
      for (
        const [wrong, message] of [
          [{ maxNewTokens: 0 }, "maxNewTokens must be a positive integer, got 0"],
          [{ temprature: 1 }, "temprature"],
          [{ plugin: "lora/none" }, "lora/none"],
          [{ plugins: ["lora/default"] }, "plugins"],
        ] as const
      ) {
        const error = yield* Effect.flip(Stream.runDrain(generateStream(model, "The", wrong as object)))
        assertStringIncludes(error.message, message)
      }
      const error = yield* Effect.flip(Stream.runDrain(generateStream(model, 3 as unknown as string)))
      assertStringIncludes(error.message, "a prompt must be a text or a list of token ids, got 3")
    })
  )
})
