import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { loadTokenizer } from "../../../core/data/tokenizer_files/load_tokenizer.ts"
import { Dataset, Espalier, Model, Trainer } from "../../../mod.ts"
import * as Decisions from "../../../plugins/decisions/mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"

const directory = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
const tone: Decisions.ChoiceQuestion = {
  type: "choice",
  instructions: "What is it like?",
  criteria: { cold: "needs a coat", mild: null, warm: null },
}
const warmth: Decisions.ScoreQuestion = { type: "score", criteria: ["cold", "mild", "warm"] }
const config: Decisions.DecisionConfig = {
  ...Decisions.DEFAULT_CONFIG,
  template:
    "{{ state }}\n{% for o in question.options %}{{ question.labels[loop.index0] }}. {{ o }}\n{% endfor %}Answer:<|mark|>",
}
const words = { cold: "ice", mild: "rain", warm: "sun" }

const table = Array.from({ length: 90 }, (_, i) => {
  const [tone, word] = Object.entries(words)[i % 3]
  return { text: `There was ${word} ${i}`, tone }
})

const withEspalier = <A, E>(program: Effect.Effect<A, E, Espalier.Services | Scope.Scope>) => {
  const methods = Layer.mergeAll(Lora.layer({ r: 8, targetModules: "all-linear" }), Llama.layer)
  const services = Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Layer.provideMerge(methods, services))))
}

Deno.test("a question is learned from rows, and answered as an evaluation says", () =>
  withEspalier(Effect.gen(function* () {
    const tokenizer = yield* loadTokenizer(directory)
    const task = Decisions.decision({ tokenizer, config }, warmth)
    const columns = Decisions.columns(warmth, { state: "text", answer: "tone" })
    const data = yield* Dataset.rows(table, columns).pipe(Dataset.split({ test: 0.3 }))
    const model = yield* Model.load(directory, { task })
    const before = yield* Trainer.evaluate(model, data.test)
    const run = yield* Trainer.fit(model, data, { epochs: 5, batchSize: 8, learningRate: 5e-3 })
    const { metrics, predictions } = yield* Trainer.evaluate(run.model, data.test)
    assert(
      metrics.loss < 0.3 * before.metrics.loss && metrics.accuracy > 0.9,
      JSON.stringify([before.metrics, metrics]),
    )
    const score = Decisions.fitTemperature(predictions, task.labels!)
    const decider = { model: run.model, tokenizer, config: { ...config, temperature: { score } } }
    const states = Object.values(words).map((word) => `There was ${word} 7`)
    const { answers } = yield* Decisions.decide(decider, states.map((state) => ({ state, questions: { warmth } })))
    assertEquals(answers.map(({ warmth }) => Math.round((warmth as Decisions.ScoreAnswer).score)), [0, 1, 2])
    const [prediction] = yield* Trainer.predict(run.model, [states[2]])
    assertEquals(prediction.label, "2")
    const long = yield* Effect.flip(Trainer.evaluate(run.model, data.test, { maxLength: 8 }))
    assertStringIncludes(long.message, "maxLength is 8: raise it")
  })))

Deno.test("options of a choice are asked for in many orders; each is scored by the label that it has there", () =>
  withEspalier(Effect.gen(function* () {
    const tokenizer = yield* loadTokenizer(directory)
    const task = Decisions.decision({ tokenizer, config }, tone)
    const data = yield* Dataset.rows(table.slice(0, 48), Decisions.columns(tone, { state: "text", answer: "tone" }))
    const model = yield* Model.load(directory, { task })
    const { predictions, metrics } = yield* Trainer.evaluate(model, data)
    const rows = data.rows as ReadonlyArray<Decisions.DecisionRow>
    assertEquals(new Set(rows.map(({ order }) => order.join())).size, 6)
    const requests = rows.map(({ state, order }) => {
      const criteria = Object.fromEntries(order.map((option) => Object.entries(tone.criteria)[option]))
      return { state, questions: { tone: { ...tone, criteria } } }
    })
    const { answers } = yield* Decisions.decide({ model, tokenizer, config }, requests)
    const losses = answers.map(({ tone }, i) => {
      const { probabilities } = tone as Decisions.ChoiceAnswer
      for (const [option, name] of task.labels!.entries()) {
        assert(Math.abs(probabilities[name] - predictions[i].probabilities![option]) < 1e-5)
      }
      assertEquals(predictions[i].expected, table[i].tone)
      return -Math.log(probabilities[table[i].tone])
    })
    assert(Math.abs(metrics.loss - losses.reduce((a, b) => a + b) / losses.length) < 1e-4)
    const wrong = yield* Effect.flip(
      Dataset.rows([{ text: "a", tone: "hot" }], Decisions.columns(tone, { state: "text", answer: "tone" })),
    )
    assertStringIncludes(wrong.message, '"hot" is none of cold, mild, warm')
  })))

Deno.test("a fitted temperature undoes what scores were multiplied by", () => {
  const labels = ["a", "b"]
  // Scores whose own probabilities say how often each answer comes.
  const rows = [0.1, 0.3, 0.5, 0.7, 0.9].flatMap((share) =>
    Array.from({ length: 10 }, (_, i) => ({ share, expected: i < 10 * share - 1e-9 ? "a" : "b" }))
  )
  for (const factor of [0.25, 1, 6]) {
    const predictions = rows.map(({ share, expected }) => {
      const odds = (share / (1 - share)) ** factor
      const probabilities = [odds / (1 + odds), 1 / (1 + odds)]
      return { text: "", label: "a", expected, probabilities }
    })
    const temperature = Decisions.fitTemperature(predictions, labels)
    assert(Math.abs(temperature / factor - 1) < 1e-3, `${temperature} of ${factor}`)
  }
  assertThrows(() => Decisions.fitTemperature([], labels), Decisions.DecisionError)
})
