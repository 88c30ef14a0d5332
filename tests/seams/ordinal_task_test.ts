/**
 * The task of `docs/add_a_task.md`: grades with an order, written against the public exports alone.
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, type Task, Tokenizer, Trainer } from "../../mod.ts"
import * as Llama from "../../plugins/llama/mod.ts"
import * as Lora from "../../plugins/lora/mod.ts"
import { importPage } from "../support/page.ts"

interface GradedRow extends Dataset.DataRow {
  readonly text: string
  readonly grade: number
}
interface Page {
  readonly graded: (text: string, grade: string, grades: ReadonlyArray<string>) => Dataset.ColumnReader<GradedRow>
  readonly ordinal: (grades: ReadonlyArray<string>) => Task<GradedRow>
}
const { graded, ordinal } = await importPage<Page>("docs/add_a_task.md")

const grades = ["cold", "mild", "warm", "hot"]
const words = ["snow ice frost", "cloud wind rain", "sun grass bee", "sand fire desert"].map((list) => list.split(" "))
const rows = Array.from({ length: 48 }, (_, i) => ({
  said: Array.from({ length: 2 + i % 3 }, (_, j) => words[i % 4][(i + j * 2) % 3]).concat(`n${i}`).join(" "),
  grade: grades[i % 4],
}))
const vocabulary = ["[PAD]", "[UNK]", ...words.flat()]
const tokenizer = await Effect.runPromise(Tokenizer.makeTokenizer({
  version: "1.0",
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: null,
  decoder: null,
  model: { type: "WordLevel", vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])), unk_token: "[UNK]" },
}, { pad_token: "[PAD]", unk_token: "[UNK]" }))
const config = {
  model_type: "llama",
  vocab_size: vocabulary.length,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 16,
  initializer_range: 0.2,
}
const columns = graded("said", "grade", grades)
const platform = Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })
const methods = Layer.mergeAll(Lora.layer({ r: 4, targetModules: "all-linear" }), Llama.layer)
// deno-lint-ignore no-explicit-any
const run = <A, E>(effect: Effect.Effect<A, E, any>): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(effect).pipe(Effect.provide(Layer.provideMerge(methods, platform))) as Effect.Effect<A>,
  )

Deno.test("a task from outside reads its columns, splits, trains packed and padded, evaluates, predicts and saves", async () => {
  const folder = Deno.makeTempDirSync()
  const train = (paddingFree: boolean) =>
    Effect.gen(function* () {
      const data = yield* Dataset.rows(rows, columns).pipe(Dataset.split({ validation: 0.25, test: 0.25, seed: 1 }))
      const model = yield* Model.initialize(config, { task: ordinal(data.labels), seed: 2 })
      const before = yield* Trainer.evaluate(model, data.test, { tokenizer })
      const fitted = yield* Trainer.fit(model, data, {
        tokenizer,
        paddingFree,
        epochs: 40,
        batchSize: 8,
        learningRate: 1e-2,
        earlyStopping: { metric: "gradesOff" },
        runFolder: `${folder}/${paddingFree}`,
      })
      yield* fitted.save(`${folder}/${paddingFree}/adapter`)
      const after = yield* Trainer.evaluate(model, data.test, { tokenizer })
      return {
        before,
        after,
        said: yield* Trainer.predict(model, data.test.rows.map(({ text }) => text), { tokenizer }),
      }
    })
  try {
    for (const paddingFree of [true, false]) {
      const { before, after, said } = await run(train(paddingFree))
      assertEquals(after.predictions.length, 12)
      assert(after.metrics.loss < 0.6 * before.metrics.loss, `${before.metrics.loss} to ${after.metrics.loss}`)
      assert(after.metrics.gradesOff < 0.3 && after.metrics.accuracy > 0.7, JSON.stringify(after.metrics))
      assertEquals(said, after.predictions.map(({ text, label }) => ({ text, label })))
    }
    const saved = JSON.parse(Deno.readTextFileSync(`${folder}/true/adapter/adapter_config.json`))
    assertEquals(saved.task_type, "SEQ_CLS")
  } finally {
    Deno.removeSync(folder, { recursive: true })
  }
})

Deno.test("errors of a task from outside: its columns, its metrics, data of another kind", async () => {
  const wrong = Dataset.rows([{ said: "ice", grade: "icy" }], columns)
  await assertRejects(() => Effect.runPromise(wrong), Error, '"icy" is none of cold, mild, warm, hot')
  const fitting = (data: Trainer.TrainingData, metric: string) =>
    run(Effect.gen(function* () {
      const model = yield* Model.initialize(config, { task: ordinal(grades) })
      return yield* Trainer.fit(model, data, { tokenizer, earlyStopping: { metric } })
    })).then(() => "nothing", (error) => error.message)
  const data = Dataset.fromRows(rows, columns)
  assertStringIncludes(await fitting({ train: data }, "mse"), "there are loss, accuracy, gradesOff")
  const texts = Dataset.fromRows(rows, { text: "said" })
  assertStringIncludes(
    await fitting({ train: texts }, "loss"),
    "the model's task is ordinal: map a text and a grade column",
  )
})
