/**
 * A task from outside, written against the public exports alone: grades with an order. The head gives the log-odds that a
 * grade is above each of the lower ones (Frank and Hall 2001), which is one number fewer than there are grades.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DataError, Dataset, Espalier, Model, ops, type Task, Tokenizer, Trainer } from "../../mod.ts"
import { cellsOf, cutterOf, textKey } from "../../plugins/authoring/mod.ts"
import * as Llama from "../../plugins/llama/mod.ts"
import * as Lora from "../../plugins/lora/mod.ts"

interface GradedRow extends Dataset.DataRow {
  readonly text: string
  /** Index into the grades, from the lowest; NaN for none. */
  readonly grade: number
}

const gradedRows: Dataset.RowKind<GradedRow> = {
  name: "graded",
  columns: "a text and a grade column",
  texts: ({ text }) => [text],
  about: ({ text }) => textKey(text),
  says: ({ grade }) => grade,
  conflict: (rows, grades) => rows.map(({ grade }) => grades[grade]),
  answers: "grades",
  classes: ({ grade }) => [grade],
  stratified: true,
}

/** Columns of texts and their grades, which are `grades` from the lowest to the highest. */
const graded = (text: string, grade: string, grades: ReadonlyArray<string>): Dataset.ColumnReader<GradedRow> => ({
  kind: gradedRows,
  names: [text, grade],
  texts: [text],
  read: (table) => {
    const cells = cellsOf(table, grade)
    const wrong = cells.findIndex((cell) => !grades.includes(cell))
    if (wrong >= 0) {
      const message = `${table.source}: "${cells[wrong]}" is none of ${grades.join(", ")}`
      throw new DataError({ reason: "Label", message, rows: [table.places[wrong]] })
    }
    const rows = cellsOf(table, text).map((text, i) => ({
      text,
      grade: grades.indexOf(cells[i]),
      row: table.places[i],
    }))
    return { rows, labels: grades }
  },
})

const ordinal = (grades: ReadonlyArray<string>): Task<GradedRow> => {
  const size = grades.length - 1
  return {
    kind: "ordinal",
    labels: grades,
    head: { kind: "sequence", size },
    rows: [gradedRows],
    fields: {
      above: { per: "example", dtype: "f32", fill: 0, size },
      scale: { per: "example", dtype: "f32", fill: 0 },
    },
    unlabeled: (text, row) => ({ text, grade: NaN, row }),
    encoder: ({ rows }, tokenizer) => {
      const { around } = cutterOf(tokenizer, rows.map(({ text }) => text))
      const above = (grade: number) => Array.from({ length: size }, (_, i) => grade > i ? 1 : 0)
      return ({ text, grade }) => [{ ...around(text), fields: () => ({ above: above(grade), scale: [1] }) }]
    },
    objective: ({ batch: { fields: { above, scale } }, outputs: { logits } }) => {
      const signs = ops.sub(ops.mul(above, 2), 1)
      return { loss: ops.neg(ops.sum(ops.log(ops.sigmoid(ops.mul(signs, logits))), [1])), weight: scale }
    },
    measure: ({ outputs: { logits } }) => ({ above: ops.sigmoid(logits) }),
    metrics: { loss: "lower", accuracy: "higher", gradesOff: "lower" },
    judge: (measured, _, labels) => {
      const said = measured.map(({ values }) => Array.from(values.above).filter((value) => value > 0.5).length)
      const predictions = measured.map(({ row: { text, grade } }, i) => ({
        text,
        expected: labels[grade],
        label: labels[said[i]],
        distance: Math.abs(said[i] - grade),
      }))
      if (measured.some(({ row }) => Number.isNaN(row.grade))) return { predictions }
      const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length
      const off = predictions.map(({ distance }) => distance)
      return { metrics: { accuracy: mean(off.map((own) => own === 0 ? 1 : 0)), gradesOff: mean(off) }, predictions }
    },
  }
}

const grades = ["cold", "mild", "warm", "hot"]
const words = ["snow ice frost", "cloud wind rain", "sun grass bee", "sand fire desert"].map((list) => list.split(" "))
const rows = Array.from({ length: 48 }, (_, i) => ({
  said: Array.from({ length: 2 + i % 3 }, (_, j) => words[i % 4][(i + j * 2) % 3]).concat(`n${i}`).join(" "),
  grade: grades[i % 4],
}))
const vocabulary = ["[PAD]", "[UNK]", ...words.flat()]
const tokenizer = Tokenizer.makeTokenizer({
  version: "1.0",
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: null,
  decoder: null,
  model: { type: "WordLevel", vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])), unk_token: "[UNK]" },
}, { pad_token: "[PAD]", unk_token: "[UNK]" })
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
