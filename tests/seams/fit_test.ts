/**
 * The whole way: `Trainer.fit` over data of two tasks, with all methods and a change to what is drawn.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import {
  Dataset,
  type MicroBatch,
  Model,
  Plugins,
  type Step,
  Task,
  type Tokenizer,
  Trainer,
  type TrainStep,
} from "@espalier/espalier"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Row, Rules } from "./reference.ts"
import {
  config,
  differences,
  EXACT,
  exactLayer,
  type Method,
  methods,
  provided,
  reference,
  valuesOf,
} from "./support.ts"

const A = "a".charCodeAt(0)
/** A token a letter. */
const tokenizer: Tokenizer.Tokenizer = {
  vocabSize: config.vocab_size,
  addsSpecialTokens: false,
  encode: (text) => Int32Array.from(text, (letter) => letter.charCodeAt(0) - A),
  decode: (ids) => String.fromCharCode(...Array.from(ids, (id) => id + A)),
  token: (id) => String.fromCharCode(id + A),
  id: (token) => token.charCodeAt(0) - A,
}
const texts = { fruit: ["apple", "fig", "lemon", "melon", "plum"], tree: ["oak", "alder", "elm"] }
const data = (words: ReadonlyArray<string>): Dataset.TextData =>
  Dataset.fromRows(words.map((text) => ({ text })), { text: "text" })

interface EmptyStep {
  readonly "~seams/EmptyStep": "~seams/EmptyStep"
}
const EmptyStep: Context.Service<EmptyStep, "empty"> = Context.Service<EmptyStep, "empty">("seams/EmptyStep")

Deno.test("Trainer.fit over two tasks with all methods, LoRA and an empty step equals the reference", async () => {
  const drawn: Array<Step> = []
  const emptyStep: Method = Plugins.plugin(
    EmptyStep,
    Effect.succeed(["empty", {
      id: "empty_step/default",
      batches: (next) => ({
        tasks: next.tasks,
        steps: () => 3,
        // Both tasks in the first step, nothing in the second, what is left in the third.
        next: ({ epoch, step }) =>
          Effect.map(
            Effect.all([0, 1, 2].map((step) => next.next({ epoch, step }, []))),
            (inner) => {
              const all = inner.flatMap((one) => one?.microBatches ?? [])
              const size = ({ rows }: MicroBatch) => rows.filter((row) => row >= 0).length
              const [fruit, tree] = ["fruit", "tree"].map((name) =>
                all.filter(({ task }) => task === name).sort((a, b) => size(b) - size(a))
              )
              const own = { microBatches: [[...fruit.slice(0, 2), ...tree], [], fruit.slice(2)][step] }
              drawn.push(own)
              return own
            },
          ),
      }),
    }]),
  )
  const rules: Rules = {
    optimizer: "adamw",
    learningRate: 0.01,
    weightDecay: 0.1,
    maxGradNorm: 0.5,
    clip: { maxGradNorm: 6 },
    pcgrad: true,
  }
  const events: Array<TrainStep> = []
  const effect = Effect.gen(function* () {
    const model = yield* Model.initialize(config, { task: Task.causalLM(), seed: 5 })
    const [all, before] = yield* Effect.promise(() => Promise.all([valuesOf(model), valuesOf(model, true)]))
    const run = yield* Trainer.fit(model, { train: { fruit: data(texts.fruit), tree: data(texts.tree) } }, {
      tokenizer,
      epochs: 1,
      batchSize: 2,
      gradientAccumulationSteps: 2,
      schedule: "constant",
      learningRate: rules.learningRate,
      weightDecay: rules.weightDecay,
      maxGradNorm: rules.maxGradNorm,
      observe: (event) => Effect.sync(() => void (event.type === "step" && events.push(event))),
    })
    assertEquals(run.reason, "finished")
    const after = yield* Effect.promise(() => valuesOf(model, true))
    const trained = model.parameters.filter(({ trainable }) => trainable)
    return { all, before, after, shapes: new Map(trained.map(({ key, shape }) => [key, shape])) }
  })
  const found = await provided(
    effect.pipe(Effect.provide(NodeFileSystem.layer)),
    [emptyStep, ...Object.values(methods)],
    exactLayer(),
  )

  const rowOf = (word: string): Row => {
    const tokens = Array.from(tokenizer.encode(word))
    return { tokens, labels: [...tokens.slice(1), -100] }
  }
  const steps = drawn.map(({ microBatches }) =>
    microBatches.map(({ task, rows }) => {
      const words = texts[task as keyof typeof texts]
      return { task, rows: Array.from(rows).filter((row) => row >= 0).map((row) => rowOf(words[row])) }
    })
  )
  assertEquals(steps.map((microBatches) => microBatches.map(({ rows }) => rows.length).sort()), [[1, 2, 2, 2], [], [1]])
  const run = {
    ...found,
    results: events.map(({ step, loss, gradientNorm }) => ({ step, loss, gradientNorm, weight: 0 })),
  }
  const own = { methods: [], tasks: ["fruit", "tree"], steps, rules }
  const expected = reference(run, own, rules)
  const { change, loss } = differences(run, expected)
  assert(change < EXACT && loss < EXACT, `change ${change}, loss ${loss}`)
})
