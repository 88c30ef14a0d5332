import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { headLabels } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { labeledRows } from "../../../core/tasks/classification.ts"
import { checkData } from "../../../core/training/loop/training_data.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"
import { inDirectory } from "../../plugins/files.ts"
import { load } from "../../../core/model/mod.ts"
import { loaded, refused } from "./stored.ts"

const classes = (...labels: string[]) => Task.classification(labels)
const names = (...labels: string[]) => ({
  config: { id2label: Object.fromEntries(labels.map((name, i) => [i, name])) },
})

Deno.test("a head of another size says so and how to start a new one, which keeps all but the head", async () => {
  const two = { task: classes("bad", "good") }
  assertEquals(
    await refused("bert/classification", two, names("no", "maybe", "yes")),
    '"m": its head (classifier.weight) is for 3 labels, ["no","maybe","yes"], the task has 2, ["bad","good"]: ' +
      "start a new head (option head: new)",
  )
  assertStringIncludes(
    await refused("bert/classification", { task: classes("yes", "no") }, names("no", "maybe", "yes")),
    "give task and data the head's labels (option labels: no,maybe,yes), or start a new head",
  )
  assertStringIncludes(
    await refused("llama/qwen2", { task: classes("a", "b", "c", "d") }, {}),
    "its head (score.weight) is for 3 labels",
  )
  assertStringIncludes(
    await refused("bert/tokens", { task: Task.tokenClassification(["O", "B"]) }, {}),
    "its head (classifier.weight) is for 3 labels",
  )
  const fresh = await loaded("bert/classification", { ...two, head: "new" }, {}, (model) => {
    assertEquals(model.parameters.find(({ key }) => key === "classifier.weight")!.shape[0], 2)
  })
  // The pooler before it stays: transformers reads it too (ignore_mismatched_sizes, 4.57.6 and 5.24.0).
  assertEquals(fresh.notes, ["not in the files, so new and trained: classifier.weight, classifier.bias"])
  // A head of the right size starts anew too, where that was asked for, and other names do not matter then.
  const anew = await loaded("llama/qwen2", { task: classes("a", "b", "c"), head: "new" }, names("x", "y", "z"))
  assertEquals(anew.notes, ["not in the files, so new and trained: score.weight"])
  const wrong = await failure(load(fixture("llama/qwen2"), { task: classes("a", "b"), head: "fresh" as "new" }))
  assertStringIncludes(wrong.message, 'head must be "stored" or "new", got "fresh"')
})

Deno.test("the head's order counts: another one is refused with what to pass, ids are the head's own", async () => {
  const own = names("positive", "negative", "neutral")
  assertStringIncludes(
    await refused("llama/qwen2", { task: classes("negative", "neutral", "positive") }, own),
    "give task and data the head's order (option labels: positive,negative,neutral)",
  )
  assertStringIncludes(
    await refused("llama/qwen2", { task: classes("Positive", "Negative", "Neutral") }, own),
    "give them the head's names in its order, or start a new head (option head: new)",
  )
  // Ids in another order than the head's are no ids.
  assertStringIncludes(
    await refused("llama/qwen2", { task: classes("1", "2", "3") }, own),
    'the task has ["1","2","3"]',
  )
  const plain = await loaded("llama/qwen2", { task: classes("positive", "negative", "neutral") }, own)
  assertEquals(plain.notes, [])
  const ids = await loaded("llama/qwen2", { task: classes("0", "1", "2") }, own, ({ task }) => {
    assertEquals(task, classes("positive", "negative", "neutral"))
    const data = (...labels: string[]) =>
      ({ kind: labeledRows, source: "rows", unit: "row", labels, rows: [] }) as const
    checkData(data("0", "1", "2"), task)
    checkData(data("positive", "negative", "neutral"), task)
    for (const other of [data("1", "0", "2"), data("0", "1"), data("negative", "positive", "neutral")]) {
      let error: unknown
      try {
        checkData(other, task)
      } catch (caught) {
        error = caught
      }
      assertStringIncludes(String(error), "give both the same list in the same order")
    }
  })
  assertEquals(ids.notes, ["the labels are the head's ids: 0 positive, 1 negative, 2 neutral"])
  assertEquals(distance(ids.logits, plain.logits), 0)
  // Names that are numbers are names.
  assertStringIncludes(
    await refused("llama/qwen2", { task: classes("0", "1", "2") }, names("1", "2", "3")),
    '["1","2","3"]',
  )
  const byName = { config: { id2label: null, label2id: { c: 2, a: 0, b: 1 } } }
  assertStringIncludes(await refused("llama/qwen2", { task: classes("c", "b", "a") }, byName), "option labels: a,b,c")
})

Deno.test("a head that was trained for something else is told of", async () => {
  const task = classes("a", "b", "c")
  const unnamed = "the head in the files does not name its labels; they are taken in this order: 0 a, 1 b, 2 c"
  assertEquals((await loaded("llama/qwen2", { task })).notes, [unnamed])
  assertEquals((await loaded("llama/qwen2", { task: classes("0", "1", "2") })).notes, [])
  const own = names("a", "b", "c").config
  for (const problem_type of ["multi_label_classification", "regression"]) {
    const { notes } = await loaded("llama/qwen2", { task }, { config: { ...own, problem_type } })
    assert(notes.length === 1 && notes[0].includes(`trained for ${problem_type} (problem_type)`), notes.join())
  }
  assertEquals(
    (await loaded("llama/qwen2", { task }, { config: { ...own, problem_type: "single_label_classification" } })).notes,
    [],
  )
  const other = await loaded("bert/classification", { task }, {
    config: { ...own, architectures: ["BertForMultipleChoice"] },
  })
  assertEquals(other.notes, [
    "the head in the files is that of BertForMultipleChoice; it is taken as that of BertForSequenceClassification",
  ])
})

Deno.test("data finds the head's order by names, a part of them, or ids", async () => {
  await inDirectory(async (directory) => {
    const config = { id2label: { 0: "positive", 1: "negative", 2: "neutral" } }
    Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify(config))
    const own = (...labels: string[]) => run(headLabels(directory, labels))
    const order = ["positive", "negative", "neutral"]
    for (const labels of [["negative", "neutral", "positive"], ["negative", "positive"], ["0", "1", "2"], ["0", "2"]]) {
      assertEquals(await own(...labels), order)
    }
    for (const labels of [["bad", "good"], ["1", "2", "3"], ["negative", "0"]]) {
      assertEquals(await own(...labels), undefined)
    }
    Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify({ id2label: { 0: "LABEL_0", 1: "LABEL_1" } }))
    assertEquals(await own("0", "1"), undefined)
  })
  const lacking = await Effect.runPromise(Effect.exit(Effect.promise(() => run(headLabels("nowhere", ["a"])))))
  assertEquals(lacking._tag, "Failure")
  const odd = await run(Effect.flip(headLabels(5 as unknown as string, ["a"])))
  assertEquals([odd._tag, odd.message], ["ModelError", "directory must be a path, got 5"])
})
