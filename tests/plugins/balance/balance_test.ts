import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { AXES, balance, balanceSections } from "../../../plugins/balance/mod.ts"
import { swapper } from "../../../plugins/balance/groups.ts"
import { evaluate } from "../../../core/training/evaluate.ts"
import { fromRows } from "../../../core/tasks/dataset/dataset.ts"
import { classifier, tokenizer } from "../../core/training/support.ts"
import { run } from "../../support/model_layer.ts"

Deno.test("words are swapped whole, both ways, in their case", () => {
  const { women, men } = AXES.gender
  const swap = swapper(women, men)
  assertEquals(
    swap("She told HIM that the woman's brother, Mr Hershey, left the theme."),
    "He told HER that the man's sister, Mrs Hershey, left the theme.",
  )
  assertEquals(swap("his mother saw him"), "her father saw her")
  assertEquals(swapper(["café"], ["thé"])("Café, cafés, café."), "Thé, cafés, thé.")
  for (const groups of Object.values(AXES)) {
    assertEquals(new Set(Object.values(groups).map(({ length }) => length)).size, 1)
  }
})

const axes = { place: { up: ["sun", "moon"], down: ["bread", "milk"] }, none: { a: ["xyz"], b: ["zyx"] } }
const data = fromRows(
  [
    ["sun star", "sky"],
    ["moon sky moon", "sky"],
    ["bread salt", "food"],
    ["sun bread", "food"],
    ["rice", "food"],
  ].map(([text, label]) => ({ text, label })),
  { text: "text", label: "label" },
)

Deno.test("balance: answers under swaps and metrics by group are those of separate evaluations", () =>
  run(Effect.gen(function* () {
    const model = yield* classifier()
    const found = yield* balance(model, data, { axes, tokenizer })
    assertEquals([found.rows, found.axes.map(({ axis }) => axis)], [5, ["place"]])
    const [{ swaps: [swap], groups }] = found.axes
    const judge = (texts: ReadonlyArray<string>, labels: ReadonlyArray<string>) =>
      evaluate(
        model,
        fromRows(texts.map((text, i) => ({ text, label: labels[i] })), { text: "text", label: "label" }, {
          labels: ["food", "sky"],
        }),
        { tokenizer },
      )
    const labels = ["sky", "sky", "food", "food"]
    const own = yield* judge(["sun star", "moon sky moon", "bread salt", "sun bread"], labels)
    const other = yield* judge(["bread star", "milk sky milk", "sun salt", "bread sun"], labels)
    const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length
    assertEquals([swap.groups, swap.rows], [["up", "down"], 4])
    assertEquals(
      swap.flipped,
      mean(own.predictions.map(({ label }, i) => label === other.predictions[i].label ? 0 : 1)),
    )
    const distance = mean(
      own.predictions.map(({ probabilities }, i) =>
        0.5 * probabilities!.reduce((sum, p, j) => sum + Math.abs(p - other.predictions[i].probabilities![j]), 0)
      ),
    )
    assert(distance > 1e-4 && Math.abs(swap.distance! - distance) < 1e-6)
    assert(Math.abs(swap.lossChange - mean(own.losses.map((loss, i) => Math.abs(loss - other.losses[i])))) < 1e-6)
    assertEquals(groups.map(({ group, rows }) => [group, rows]), [["up", 2], ["down", 1]])
    assert(Math.abs(groups[0].loss - mean(own.losses.slice(0, 2))) < 1e-6)
    assertEquals(
      groups[0].accuracy,
      mean(own.predictions.slice(0, 2).map(({ label, expected }) => label === expected ? 1 : 0)),
    )
    const [swapped, byGroup] = balanceSections(found, found)
    assertEquals([swapped.title, byGroup.title], ["Balance: place, words swapped", "Balance: place, by group"])
    assertEquals(byGroup.table!.rows.at(-1)![0], "gap")
  })))

Deno.test("balance: wrong lists are an error before any work, rows without words give no axis", () =>
  run(Effect.gen(function* () {
    const model = yield* classifier()
    const wrong = (axes: typeof AXES) =>
      Effect.map(Effect.flip(balance(model, data, { axes, tokenizer })), ({ message }) => message)
    assertStringIncludes(yield* wrong({ age: { young: ["boy"], old: ["man", "woman"] } }), "the same number of words")
    assertStringIncludes(yield* wrong({ age: { young: ["boy"] } }), 'groups of "age": two groups or more')
    const none = yield* balance(model, data, { axes: { none: axes.none }, tokenizer })
    assertEquals(none.axes, [])
    assertEquals(balanceSections(none, none)[0].text, "None of 5 rows has a word of the groups.")
  })))
