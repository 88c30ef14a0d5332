/**
 * ModernBERT and Ettin beside transformers. That packed rows give what padded rows give: tests/plugins/padding_free_test.ts.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, ops, Task, Tokenizer, Trainer } from "../../../mod.ts"
import { evaluate } from "../../../plugins/authoring/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, run as inMemory } from "../../support/model_layer.ts"
import * as ModernBert from "../../../plugins/modernbert/mod.ts"

const directory = fixture("modern_bert")
const config = JSON.parse(Deno.readTextFileSync(`${directory}/config.json`))
const classes = ["LABEL_0", "LABEL_1", "LABEL_2"]

Deno.test("logits as in transformers, for texts longer than the windows", async () => {
  const expected = JSON.parse(Deno.readTextFileSync(`${directory}/expected.json`))
  const backend = memoryBackend()
  const logitsOf = (changes: Record<string, unknown> = {}) =>
    inMemory(
      Effect.gen(function* () {
        const model = yield* Model.load(directory, { task: Task.classification(classes) })
        const { logits } = model.forward({
          tokens: ops.input("tokens", [2, 12], { dtype: "i32" }),
          lengths: ops.input("lengths", [2], { dtype: "i32" }),
          fields: {},
          exampleWeight: ops.full(1, [2]),
          task: "default",
        }, { training: false })
        const { lengths } = expected
        const inputs = { tokens: expected.tokens.flat(), lengths, ...changes }
        return Array.from(evaluate(logits, { inputs, slots: backend.slots }))
      }),
      ModernBert.layer,
      backend,
    )
  assert(distance(await logitsOf(), expected.logits) < 1e-5)
  assert(distance(await logitsOf({ lengths: [12, 8] }), expected.logits) > 1e-3, "padding plays a part")
})

const words = ["snow ice frost", "sun grass bee", "sand fire desert"].map((list) => list.split(" "))
const rows = Array.from({ length: 48 }, (_, i) => ({
  said: Array.from({ length: 8 + i % 5 }, (_, j) => j % 2 === 0 ? words[i % 3][(i + j) % 3] : `w${(i + j) % 7}`).join(
    " ",
  ),
  label: classes[i % 3],
}))
const vocabulary = ["[PAD]", "[UNK]", ...words.flat(), ...Array.from({ length: 7 }, (_, i) => `w${i}`)]
const tokenizer = await Effect.runPromise(Tokenizer.makeTokenizer({
  version: "1.0",
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: null,
  decoder: null,
  model: { type: "WordLevel", vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])), unk_token: "[UNK]" },
}, { pad_token: "[PAD]", unk_token: "[UNK]" }))
const platform = Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })
const methods = Layer.mergeAll(Lora.layer({ r: 4, targetModules: "all-linear" }), ModernBert.layer)
// deno-lint-ignore no-explicit-any
const run = <A, E>(effect: Effect.Effect<A, E, any>): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(effect).pipe(Effect.provide(Layer.provideMerge(methods, platform))) as Effect.Effect<A>,
  )
const task = Task.classification(classes)

Deno.test("it trains with LoRA and classifies, with packed rows and with padded ones", async () => {
  const folder = Deno.makeTempDirSync()
  const train = (paddingFree: boolean) =>
    Effect.gen(function* () {
      const data = yield* Dataset.rows(rows, { text: "said", label: "label" }).pipe(
        Dataset.split({ validation: 0.25, test: 0.25, seed: 1 }),
      )
      const model = yield* Model.initialize({ ...config, initializer_range: 0.3 }, { task, seed: 2 })
      const options = { tokenizer, paddingFree, maxSteps: 80, batchSize: 6, learningRate: 1e-2 }
      const before = yield* Trainer.evaluate(model, data.test, { tokenizer })
      const fitted = yield* Trainer.fit(model, data, { ...options, runFolder: `${folder}/${paddingFree}` })
      yield* fitted.save(`${folder}/adapter`)
      return { before, after: yield* Trainer.evaluate(model, data.test, { tokenizer }) }
    })
  try {
    for (const paddingFree of [true, false]) {
      const { before, after } = await run(train(paddingFree))
      assert(after.metrics.loss < 0.5 * before.metrics.loss, JSON.stringify(after.metrics))
      assert(after.metrics.accuracy > 0.8, JSON.stringify(after.metrics))
    }
    const saved = JSON.parse(Deno.readTextFileSync(`${folder}/adapter/adapter_config.json`))
    assertEquals(saved.target_modules.toSorted(), ["Wi", "Wo", "Wqkv"])
  } finally {
    Deno.removeSync(folder, { recursive: true })
  }
})

Deno.test("it refuses by name what changes the mathematics and is not known", async () => {
  const changes: ReadonlyArray<readonly [field: string, change: Record<string, unknown>]> = [
    ["mlp_dropout", { mlp_dropout: 0.1 }],
    ["attention_dropout", { attention_dropout: 0.1 }],
    ["classifier_pooling", { classifier_pooling: "max" }],
    ["layer_types", { layer_types: ["sliding_attention"] }],
    ["layer_types", { layer_types: Array(4).fill("sliding_attention") }],
    ["norm_eps", { norm_eps: -1 }],
    ["num_attention_heads", { num_attention_heads: 5 }],
    ["sliding_window", { sliding_window: 3 }],
    ["global_rope_theta", { rope_parameters: { full_attention: { rope_theta: 10 } } }],
    ["factor", { rope_parameters: { sliding_attention: { rope_type: "linear" } } }],
    ["rope_type", { rope_parameters: { sliding_attention: { factor: 2 } } }],
    ["rope_parameters", { rope_parameters: { rope_theta: 10 } }],
    ["rope_theta", { rope_theta: 10 }],
    ["local_rope_theta", { model_type: "modernbert-decoder", local_rope_theta: undefined }],
  ]
  for (const [name, change] of changes) {
    const { message } = await failure(Model.initialize({ ...config, ...change }, { task }), ModernBert.layer)
    assertStringIncludes(message, name)
  }
  const tokens = { task: Task.tokenClassification(classes) }
  const { message } = await failure(
    Model.initialize({ ...config, model_type: "modernbert-decoder" }, tokens),
    ModernBert.layer,
  )
  assertStringIncludes(message, "has no head for token-classification")
})
