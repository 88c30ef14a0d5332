/**
 * Regression and classification into any number of classes. Losses and gradients are beside those of torch 2.13 in float64
 * (MSELoss, BCEWithLogitsLoss); correlations beside numpy's corrcoef of values and of ranks.
 */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import { DataError } from "../../../core/data/data_error.ts"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import { initialize, saveCheckpoint } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { pearson, spearman } from "../../../core/tasks/measures/correlation.ts"
import { fromRows } from "../../../core/tasks/dataset/dataset.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { evaluate, predict } from "../../../core/training/evaluate.ts"
import { fit } from "../../../core/training/fit.ts"
import { report } from "../../../core/report/report.ts"
import { evaluateAll } from "../../support/evaluate.ts"
import { run } from "../../support/model_layer.ts"
import { inDirectory } from "../../plugins/files.ts"
import { config, texts, tokenizer } from "../training/support.ts"

/** Mean loss of a batch and its gradient by the logits. */
const lossOf = (task: Task, logits: ReadonlyArray<number>, labels: ReadonlyArray<number>, size: number) => {
  const shape = [logits.length / size, size]
  const x = ops.input("x", shape)
  const batch = {
    tokens: x,
    lengths: x,
    fields: { labels: ops.input("labels", shape) },
    exampleWeight: x,
    task: "",
  }
  const none = () => {
    throw new Error("not there")
  }
  const { loss, weight } = task.objective({
    batch,
    outputs: { logits: x, hidden: x },
    base: none,
    parameter: none,
    trained: [],
  })
  const mean = ops.div(ops.sum(loss), ops.sum(weight))
  const [value, gradient] = evaluateAll([mean, ...gradients(mean, [x])], { inputs: { x: logits, labels } })
  return [value[0], ...gradient]
}
const near = (found: ReadonlyArray<number>, expected: ReadonlyArray<number>) => {
  assertEquals(found.length, expected.length)
  found.forEach((value, i) => assertAlmostEquals(value, expected[i], 1e-12))
}
const logits = [0.5, -1.25, 2, 0.75, -3, 1.5]

Deno.test("regression: loss and gradient are those of MSELoss, for one score and for several", () => {
  near(lossOf(Task.regression(["a", "b"]), logits, [1, 0.5, -0.5, 0.25, -2, 4], 2), [
    2.84375,
    ...[-1 / 6, -0.5833333333333333, 5 / 6, 1 / 6, -1 / 3, -5 / 6],
  ])
  near(lossOf(Task.regression(), [0.5, 2, -3], [1, -0.5, -2], 1), [2.5, -1 / 3, 5 / 3, -2 / 3])
})

Deno.test("label sets: loss and gradient are those of BCEWithLogitsLoss, far from zero and at zero too", () => {
  const task = Task.multiLabelClassification(["a", "b"])
  near(lossOf(task, logits, [1, 0, 0, 0, 1, 1], 2), [
    1.2066342853733076,
    ...[-0.0629234447996909, 0.03711668980421814, 0.14679951299631372],
    ...[0.1131964498625655, -0.15876235447040554, -0.030404253967726058],
  ])
  near(lossOf(task, [60, -60], [0, 1], 2), [60, 0.5, -0.5])
  near(lossOf(task, [0, 0], [0, 1], 2), [Math.LN2, 0.25, -0.25])
})

Deno.test("correlations, with equal values and without any change", () => {
  const [a, b] = [[1, 2, 2, 4, 5.5], [2, 1, 3, 3, 7.5]]
  assertAlmostEquals(pearson(a, b), 0.8511535499493602, 1e-12)
  assertAlmostEquals(spearman(a, b), 0.7631578947368421, 1e-12)
  assertEquals([pearson(a, [3, 3, 3, 3, 3]), spearman([1, 2], [5, 4])], [0, -1])
})

const measured = <Row>(rows: ReadonlyArray<Row & { logits: ReadonlyArray<number> }>) =>
  rows.map((row) => ({
    row: { ...row, row: 1 },
    example: { tokens: new Int32Array(1), fields: {}, index: 0, row: 1 },
    values: { logits: Float32Array.from(row.logits) },
  }))

Deno.test("metrics of scores and of label sets", () => {
  const scores = Task.regression(["a", "b"])
  const judged = scores.judge(
    measured([{ text: "x", scores: [1, 2], logits: [2, 2] }, { text: "y", scores: [3, 0], logits: [5, 1] }]),
    0,
    scores.labels,
  )
  assertEquals(judged.metrics, { mse: 1.5, mae: 1, pearson: 1, spearman: 1 })
  assertEquals(judged.predictions![1], { text: "y", expected: "3, 0", label: "5, 1", scores: [5, 1], distance: 1.5 })
  const sets = Task.multiLabelClassification(["a", "b", "c"])
  const said = (...ids: ReadonlyArray<number>) => [0, 1, 2].map((id) => ids.includes(id) ? 4 : -4)
  const { metrics, predictions } = sets.judge(
    measured([
      { text: "1", labels: [0, 2], logits: said(0) },
      { text: "2", labels: [], logits: said() },
      { text: "3", labels: [0, 1], logits: said(0, 1) },
      { text: "4", labels: [2], logits: said(1, 2) },
    ]),
    0,
    sets.labels,
  )
  assertEquals(metrics, { microF1: 0.8, macroF1: (1 + 2 / 3 + 2 / 3) / 3, exactMatch: 0.5 })
  assertEquals(predictions!.map(({ label, expected }) => [label, expected]), [
    ["a", "a, c"],
    ["(none)", "(none)"],
    ["a, b", "a, b"],
    ["b, c", "c"],
  ])
})

const scored = fromRows(
  texts(16).rows.map(({ text, label }) => ({ text, stars: label === 0 ? -1.5 : 2, length: text.length / 20 })),
  { text: "text", scores: ["stars", "length"] },
)
const sets = fromRows(
  texts(16).rows.map(({ text, label }, i) => ({ text, of: ["sky", "food"].slice(label).join("; "), row: i })),
  { text: "text", labels: "of", separator: ";" },
)
const options = { tokenizer, epochs: 20, batchSize: 8, learningRate: 2e-2 }

Deno.test("regression trains, packed and padded; its head is transformers'; predict and report have scores", () =>
  inDirectory(async (directory) => {
    const { before, after, told } = await run(Effect.gen(function* () {
      const model = yield* initialize(config, { task: Task.regression(scored.labels), seed: 1 })
      const before = yield* evaluate(model, scored, { tokenizer })
      const earlyStopping = { metric: "mse" }
      yield* fit(model, { train: scored, validation: scored }, { ...options, earlyStopping, paddingFree: true })
      const after = yield* evaluate(model, scored, { tokenizer })
      yield* saveCheckpoint(model, `${directory}/saved`)
      return { before, after, told: yield* predict(model, [scored.rows[0].text], { tokenizer }) }
    }))
    assert(after.metrics.mse < 0.1 * before.metrics.mse, `${before.metrics.mse} to ${after.metrics.mse}`)
    assertAlmostEquals(after.metrics.loss, after.metrics.mse, 1e-5)
    assert(after.metrics.pearson > 0.8 && after.metrics.spearman > 0.7, JSON.stringify(after.metrics))
    assertEquals(told[0].scores!.map(Math.fround), after.predictions[0].scores!.map(Math.fround))
    assertEquals("expected" in told[0], false)
    const saved = JSON.parse(Deno.readTextFileSync(`${directory}/saved/config.json`))
    assertEquals([saved.problem_type, saved.id2label], ["regression", { 0: "stars", 1: "length" }])
    const samples = after.predictions.map(({ label, ...rest }) => ({ ...rest, predicted: label }))
    const page = report({
      title: "t",
      facts: {},
      events: [],
      evaluations: [{ name: "after", metrics: after.metrics }],
      samples,
      config: {},
    })
    assertStringIncludes(page, "16 are scored; the furthest off come first")
    assertStringIncludes(page, "spearman")
  }))

Deno.test("label sets train; predict gives each class a probability", async () => {
  assertEquals([sets.labels, sets.rows[0].labels, sets.rows[1].labels], [["food", "sky"], [0], [0, 1]])
  const { before, after, told } = await run(Effect.gen(function* () {
    const model = yield* initialize(config, { task: Task.multiLabelClassification(sets.labels), seed: 1 })
    const before = yield* evaluate(model, sets, { tokenizer })
    yield* fit(model, { train: sets, validation: sets }, { ...options, earlyStopping: { metric: "macroF1" } })
    const after = yield* evaluate(model, sets, { tokenizer })
    return { before, after, told: yield* predict(model, [sets.rows[1].text], { tokenizer }) }
  }))
  assert(after.metrics.loss < 0.5 * before.metrics.loss, `${before.metrics.loss} to ${after.metrics.loss}`)
  assertEquals(after.metrics.exactMatch, 1)
  assertEquals(told[0].label, "food, sky")
  assert(told[0].probabilities!.every((probability) => probability > 0.5))
})

Deno.test("columns that hold no scores or no labels are named with their rows", () => {
  const fails = (read: () => unknown): DataError => assertThrows(read) as DataError
  const text = fails(() => fromRows([{ t: "a", s: "1,5" }, { t: "b", s: 2 }], { text: "t", scores: "s" }))
  assertEquals([text.reason, text.rows], ["Label", [1]])
  assertStringIncludes(text.message, 'a score must be a number such as 3.7, got "1,5"')
  const list = fails(() => fromRows([{ t: "a", l: ["x"] }, { t: "b", l: [{}] }], { text: "t", labels: "l" }))
  assertEquals([list.reason, list.rows], ["Label", [2]])
  const names = { labels: ["x", "y"] }
  const unknown = fails(() => fromRows([{ t: "a", l: "x,z" }], { text: "t", labels: "l" }, names))
  assertStringIncludes(unknown.message, 'label "z" in row 1; labels are ["x","y"]')
  const rejects = (cells: ReadonlyArray<unknown>, what: string) => {
    const error = fails(() => fromRows(cells.map((l, i) => ({ t: `text ${i}`, l })), { text: "t", labels: "l" }))
    assertStringIncludes(error.message, what)
  }
  rejects([["x"], ["y"], null], "expected a list of labels ([] for none)")
  rejects([["x"], ["y"], [-100]], "a sign for no label; leave such rows out, or give [] for none, in row 3")
  rejects(["['x', 'y']", "['x']"], "a list that is written as a text")
  rejects([[1, 0, 1], [0, 1, 0]], "a 0 or 1 for each class")
  const alike = fromRows([["Rude", "x"], ["rude"]].map((l, i) => ({ t: `text ${i}`, l })), { text: "t", labels: "l" })
  assert(alike.notes!.some((note) => note.includes("rude") && note.includes("Rude")), `${alike.notes}`)
  assertStringIncludes(Task.regression(["a", "a"]).problem!, "different names")
})

Deno.test("scores are floats of any size, also from memory; integers in texts keep their limit", () => {
  const values = [2 ** 53, -(2 ** 60), 1e30, 3.7, 12n]
  const { rows } = fromRows(values.map((s, i) => ({ t: `text ${i}`, s })), { text: "t", scores: "s" })
  assertEquals(rows.map(({ scores }) => scores), values.map((value) => [Number(value)]))
  for (const s of [Infinity, 1e39, Number.NaN]) {
    const error = assertThrows(() => fromRows([{ t: "a", s: 1 }, { t: "b", s }], { text: "t", scores: "s" }), DataError)
    assertEquals(error.rows, [2])
  }
  assertThrows(() => fromRows([{ t: 2 ** 53 }], { text: "t" }), DataError, "beyond 2^53")
})

Deno.test("label sets: ids of named labels, also of a few of them", () => {
  const read = (sets: ReadonlyArray<unknown>, labels: ReadonlyArray<string>) =>
    fromRows(sets.map((l, i) => ({ t: `text ${i}`, l })), { text: "t", labels: "l" }, { labels })
      .rows.map(({ labels }) => labels)
  const names = ["x", "y", "z"]
  assertEquals(read([[0, 2], [], "2,0", ["z", 1]], names), [[0, 2], [], [0, 2], [1, 2]])
  assertEquals(read([[0, 1], [1, 0]], names), [[0, 1], [0, 1]])
  assertEquals(read([[0], []], ["x"]), [[0], []])
  const oneHot = assertThrows(() => read([[0, 1], [1, 0]], ["x", "y"]), DataError)
  assertStringIncludes(oneHot.message, "a 0 or 1 for each class")
})

Deno.test("labels that the data cannot use are an error", () => {
  const labels = ["a", "b"]
  const rows = [{ t: "x", s: 1 }]
  for (const columns of [{ text: "t", scores: "s" }, { text: "t" }, { prompt: "t", completion: "s" }]) {
    const error = assertThrows(() => fromRows(rows, columns, { labels }), DataError)
    assertStringIncludes(error.message, "labels are given, but")
  }
})
