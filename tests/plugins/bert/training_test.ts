import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer, type Plugins } from "../../../core/contracts/plugins.ts"
import { fromRows } from "../../../core/tasks/dataset/dataset.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { initialize } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { evaluate } from "../../../core/training/evaluate.ts"
import { fit } from "../../../core/training/fit.ts"
import * as Bert from "../../../plugins/bert/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { type Base, failure } from "../../support/model_layer.ts"

/** Runs on the CPU backend: it is many steps. */
const run = <A, E>(
  effect: Effect.Effect<A, E, Base | Scope.Scope>,
  methods: Layer.Layer<never, unknown, Plugins> = Layer.empty as Layer.Layer<never>,
): Promise<A> => {
  const base = Layer.mergeAll(Wasm.layer({ threads: 1 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const layer = Layer.mergeAll(methods, Bert.layer).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(layer)) as Effect.Effect<A, unknown>)
}

const words = "sun moon star sky cloud rain bread milk cheese apple salt rice".split(" ")
const vocabulary = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]", ...words]
const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } })
const tokenizer = tokenizerOf({
  added_tokens: vocabulary.slice(0, 5).map((content, id) => ({ id, content, special: true, normalized: false })),
  normalizer: null,
  decoder: null,
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: {
    type: "TemplateProcessing",
    single: [special("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, special("[SEP]")],
    pair: [],
    special_tokens: {},
  },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
  },
}, { pad_token: "[PAD]", mask_token: "[MASK]" })

const config = {
  model_type: "distilbert",
  vocab_size: vocabulary.length,
  dim: 16,
  hidden_dim: 24,
  n_layers: 1,
  n_heads: 2,
  max_position_embeddings: 12,
  initializer_range: 0.2,
}

/** Rows of words that follow each other in the list, so that a hidden one can be found out from its neighbours. */
const rows = Array.from(
  { length: 48 },
  (_, i) => Array.from({ length: 4 + i % 5 }, (_, j) => words[(i + j) % words.length]),
)
const plain = fromRows(rows.map((own) => ({ text: own.join(" ") })), { text: "text" })
const tagged = fromRows(
  rows.map((own) => ({ words: own, tags: own.map((word) => words.indexOf(word) < 6 ? "sky" : "food") })),
  { words: "words", tags: "tags" },
)
const options = { tokenizer, epochs: 40, batchSize: 16, learningRate: 1e-2, seed: 1 }

Deno.test("masked language modelling: the loss falls, and two runs of one seed are the same", async () => {
  const once = () =>
    run(Effect.gen(function* () {
      const model = yield* initialize(config, { task: Task.maskedLM(), seed: 1 })
      const before = yield* evaluate(model, plain, { tokenizer })
      yield* fit(model, { train: plain }, { ...options, epochs: 60 })
      return [before.metrics, (yield* evaluate(model, plain, { tokenizer })).metrics]
    }))
  const [before, after] = await once()
  assert(after.loss < 0.7 * before.loss, `${before.loss} to ${after.loss}`)
  assert(after.tokenAccuracy > before.tokenAccuracy + 0.1, `${before.tokenAccuracy} to ${after.tokenAccuracy}`)
  assertEquals((await once())[1], after)
})

Deno.test("token classification with LoRA: accuracy and macro-F1 over words that have a label", async () => {
  const { metrics, classification, predictions: said } = await run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { task: Task.tokenClassification(tagged.labels), seed: 1 })
      yield* fit(model, { train: tagged, validation: tagged }, {
        ...options,
        earlyStopping: { patience: 20, metric: "macroF1" },
      })
      return yield* evaluate(model, tagged, { tokenizer })
    }),
    Layer.effectDiscard(Effect.service(Lora.Lora)).pipe(Layer.provide(Lora.layer({ targetModules: "all-linear" }))),
  )
  assert(metrics.accuracy > 0.95 && metrics.macroF1 > 0.95, JSON.stringify(metrics))
  const support = classification!.perClass.reduce((sum, own) => sum + own.support, 0)
  assertEquals(support, rows.reduce((sum, own) => sum + own.length, 0))
  // What was said of each word, in the order of rows and words.
  assertEquals(said.map(({ word }) => word), rows.flat())
  assertEquals(said.map(({ text }) => text), rows.flatMap((own) => own.map(() => own.join(" "))))
  const right = said.filter(({ label, expected }) => label === expected)
  assertEquals(right.length / said.length, metrics.accuracy)
  assert(said.every(({ probability }) => probability! >= 0.5 && probability! <= 1))
  assert(right.some(({ probability }) => probability! > 0.9))
})

Deno.test("what is said of words: words without a label, of several tokens, beside [CLS] and [SEP] in the data", async () => {
  const given = [
    { words: ["[CLS]", "sun", "sunrain", "moon", "[SEP]"], labels: [0, 1, -100, 0, 1] },
    { words: ["milk", "x", "rice"], labels: [0, 1, -100] },
  ]
  const data = {
    ...tagged,
    rows: given.map(({ words, labels }, i) => ({ words, labels, text: words.join(" "), row: i + 1 })),
  }
  const { predictions: said } = await run(
    Effect.flatMap(
      initialize(config, { task: Task.tokenClassification(tagged.labels), seed: 1 }),
      (model) => evaluate(model, data, { tokenizer }),
    ),
  )
  const [zero, one] = tagged.labels
  assertEquals(said.map(({ word, expected }) => [word, expected]), [["sun", one], ["moon", zero], ["milk", zero], [
    "x",
    one,
  ]])
})

Deno.test("data of another kind, packing, and a tokenizer without a mask token are refused", async () => {
  const refuse = (task: Task, data: Parameters<typeof fit>[1], more: Partial<Parameters<typeof fit>[2]> = {}) =>
    failure(Effect.flatMap(initialize(config, { task }), (model) => fit(model, data, { ...options, ...more })))
  assertStringIncludes((await refuse(Task.maskedLM(), { train: tagged })).message, "it holds tagged data")
  assertStringIncludes((await refuse(Task.maskedLM(), { train: plain }, { packing: true })).message, "packing")
  const { maskId: _, ...without } = tokenizer
  assertStringIncludes((await refuse(Task.maskedLM(), { train: plain }, { tokenizer: without })).message, "mask token")
})
