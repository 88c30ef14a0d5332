import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Engine, engine, load, type NewToken } from "../../../../core/inference/mod.ts"
import { answer, answered, type AnswerOptions } from "../../../../core/inference/text/answer.ts"
import { loadTokenizer } from "../../../../core/data/tokenizer_files/load_tokenizer.ts"
import type { Tokenizer } from "../../../../core/data/tokenizer/tokenizer.ts"
import { Task } from "../../../../core/tasks/builtin.ts"
import { Espalier } from "../../../../mod.ts"
import * as Llama from "../../../../plugins/llama/mod.ts"

const directory = new URL("../../../../examples/models/espalier-1m", import.meta.url).pathname
const PROMPT = "Once upon a time"

const withEngine = <A, E>(
  use: (engine: Engine, tokenizer: Tokenizer) => Effect.Effect<A, E, Espalier.Services | Scope.Scope>,
) => {
  const services = Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })
  const program = Effect.gen(function* () {
    const model = yield* load(directory, { task: Task.causalLM() })
    return yield* use(yield* engine(model), yield* loadTokenizer(directory))
  })
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Layer.provideMerge(Llama.layer, services))))
}

Deno.test("an answer ends exactly before a stop string, within a token or across several, as soon as it is there", async () => {
  await withEngine((engine, tokenizer) =>
    Effect.gen(function* () {
      const options: AnswerOptions = { maxNewTokens: 24 }
      const whole = yield* answered(engine, tokenizer, PROMPT, options)
      assertEquals([whole.end, whole.tokens.length], [{ reason: "length" }, 24])
      const places = Array.from({ length: 12 }, (_, i) => [5 * i, 1 + i % 4 * 3])
      const check = ([from, length]: ReadonlyArray<number>) =>
        Effect.gen(function* () {
          const stopString = whole.text.slice(from, from + length)
          const cut = whole.text.indexOf(stopString)
          const stopped = yield* answered(engine, tokenizer, PROMPT, { ...options, stopStrings: ["@@", stopString] })
          assertEquals([stopped.text, stopped.end], [whole.text.slice(0, cut), { reason: "stop string", stopString }])
          // The token that completes it is the last one.
          const texts = [1, 0].map((less) =>
            tokenizer.decode(whole.tokens.slice(0, stopped.tokens.length - less).map(({ token }) => token))
          )
          assertEquals(texts.map((text) => text.includes(stopString)), [false, true])
        })
      yield* Effect.forEach(places, check, { concurrency: "unbounded" })
    })
  )
})

Deno.test("no part of an answer holds what turns out to be a stop string; others of the engine go on", async () => {
  await withEngine((engine, tokenizer) =>
    Effect.gen(function* () {
      const whole = yield* answered(engine, tokenizer, PROMPT, { maxNewTokens: 40 })
      const stopString = whole.text.slice(20, 31)
      const stopStrings = [`${stopString}!`, whole.text.slice(25, 60)]
      const [parts, other] = yield* Effect.all([
        Stream.runCollect(answer(engine, tokenizer, PROMPT, { maxNewTokens: 40, stopStrings })),
        answered(engine, tokenizer, PROMPT, { maxNewTokens: 40 }),
      ], { concurrency: "unbounded" })
      assertEquals(parts.map(({ text }) => text).join(""), whole.text.slice(0, 25))
      assert(parts.filter(({ text }) => text !== "").length > 5)
      assertEquals(parts.map(({ end }) => end?.reason).filter((one) => one !== undefined), ["stop string"])
      assertEquals(other, whole)
      assertEquals((yield* Effect.promise(engine.next)).size, 0)
    })
  )
})

Deno.test("tokens come with the likeliest ones, from the model's own probabilities", async () => {
  await withEngine((engine, tokenizer) =>
    Effect.gen(function* () {
      const greedy = yield* answered(engine, tokenizer, PROMPT, { maxNewTokens: 10, topLogProbabilities: 3 })
      const drawn = { maxNewTokens: 10, temperature: 2, topK: 50, seed: 3 }
      const { tokens } = yield* answered(engine, tokenizer, PROMPT, {
        ...drawn,
        topLogProbabilities: tokenizer.vocabSize,
      })
      for (const { token, alternatives, logProbability } of greedy.tokens) {
        assertEquals(alternatives!.length, 3)
        assertEquals(alternatives![0], { token, logProbability: logProbability! })
      }
      for (const { token, alternatives, logProbability } of tokens) {
        const total = alternatives!.reduce((sum, one) => sum + Math.exp(one.logProbability), 0)
        assert(Math.abs(total - 1) < 1e-5, `${total}`)
        assertEquals(alternatives!.find((one) => one.token === token)!.logProbability, logProbability)
        assert(alternatives!.every(({ logProbability }, i, { [i - 1]: before }) =>
          before === undefined || logProbability <= before.logProbability
        ))
      }
      const without = yield* answered(engine, tokenizer, PROMPT, drawn)
      assertEquals(
        without.tokens.map(({ token }) =>
          token
        ),
        tokens.map(({ token }) => token),
      )
      assertEquals(without.tokens[0].logProbability, undefined)
    })
  )
})

Deno.test("a constraint says what may come; a dead end is an error of its row alone", async () => {
  await withEngine((engine, tokenizer) =>
    Effect.gen(function* () {
      const odd = {
        restrict: (logits: Float32Array, made: ReadonlyArray<number>) => {
          for (let id = 0; id < logits.length; id++) if (id % 2 === 0 || made.length === 6) logits[id] = -Infinity
        },
        complete: (made: ReadonlyArray<number>) => made.length === 4,
      }
      const seen: Array<NewToken> = []
      const onToken = (token: NewToken) => void seen.push(token)
      const whole = yield* answered(engine, tokenizer, PROMPT, { constraint: odd, onToken })
      assertEquals(whole.end, { reason: "stop" })
      assertEquals(whole.tokens.length, 4)
      assertEquals(seen, whole.tokens)
      assert(whole.tokens.every(({ token }) => token % 2 === 1))
      const { restrict } = odd
      const [stuck, free] = yield* Effect.all([
        Effect.flip(answered(engine, tokenizer, PROMPT, { constraint: { restrict } })),
        answered(engine, tokenizer, PROMPT, { maxNewTokens: 12 }),
      ], { concurrency: "unbounded" })
      assertStringIncludes(stuck.message, "constraint left no token")
      assertEquals(free.tokens.length, 12)
    })
  )
})

Deno.test("wrong options are errors before anything runs", async () => {
  await withEngine((engine, tokenizer) =>
    Effect.gen(function* () {
      const constraint = { restrict: () => {} }
      for (
        const [options, message] of [
          [{ stopStrings: [""] }, 'stopStrings must be a list of texts, none of them empty, got [""]'],
          [{ stopStrings: "x" }, "stopStrings must be"],
          [{ topLogProbabilities: 0 }, "topLogProbabilities must be a whole number from 1, got 0"],
          [{ constraint: {} }, 'constraint must be an object with a function "restrict", got {}'],
          [{ constraint, noRepeatNgramSize: 2 }, "noRepeatNgramSize cannot go with a constraint"],
          [{ stopString: ["x"] }, 'unknown option "stopString"'],
        ] as ReadonlyArray<readonly [AnswerOptions, string]>
      ) {
        assertStringIncludes((yield* Effect.flip(answered(engine, tokenizer, PROMPT, options))).message, message)
      }
      assertEquals((yield* Effect.promise(engine.next)).size, 0)
    })
  )
})
