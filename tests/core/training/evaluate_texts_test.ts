import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type { Data } from "../../../core/data/data.ts"
import { generate } from "../../../core/inference/generate.ts"
import { initialize } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { fromRows } from "../../../core/tasks/dataset/dataset.ts"
import type { TextMetric } from "../../../core/tasks/measures/text/text_metric.ts"
import { evaluateTexts } from "../../../core/training/evaluate_texts.ts"
import { failure, run } from "../../support/model_layer.ts"
import { config, languageModel, texts, tokenizer } from "./support.ts"

/** Two prompts, the second between the two answers of the first. */
const rows = fromRows([
  { ask: "sun moon", answer: " star" },
  { ask: "bread", answer: " milk" },
  { ask: "sun moon", answer: " sky" },
], { prompt: "ask", completion: "answer" })

/** Gives what it was given. */
const seen: Array<readonly [texts: ReadonlyArray<string>, references: ReadonlyArray<ReadonlyArray<string>>]> = []
const witness: TextMetric = {
  name: "witness",
  score: (...given) => ({ texts: given[0].length, calls: seen.push(given) }),
}
const length: TextMetric = { name: "length", score: (texts) => ({ characters: texts.join("").length }) }

const options = { tokenizer, maxNewTokens: 3, metrics: [witness, length] }

Deno.test("each prompt is answered once, and scored beside all of its answers", () =>
  run(Effect.gen(function* () {
    const model = yield* languageModel()
    const { metrics, texts } = yield* evaluateTexts(model, rows, options)
    const prompts = ["sun moon", "bread"]
    const written = yield* generate(model, prompts, { tokenizer, maxNewTokens: 3 })
    const references = [[" star", " sky"], [" milk"]]
    assertEquals(texts, prompts.map((prompt, i) => ({ prompt, text: written[i], references: references[i] })))
    assertEquals(seen, [[written, references]])
    assertEquals(metrics, { texts: 2, calls: 1, characters: written.join("").length })
    // How texts are written is up to the options.
    const shorter = yield* evaluateTexts(model, rows, { ...options, maxNewTokens: 1 })
    assertEquals(shorter.texts.map(({ text }) => text), [
      ...yield* generate(model, prompts, { tokenizer, maxNewTokens: 1 }),
    ])
  })))

Deno.test("rows that ask for no text, none at all, and no metric are errors before any text is written", async () => {
  const refused = (data: Data, metrics: ReadonlyArray<TextMetric> = [witness], task: Task = Task.causalLM()) =>
    failure(
      Effect.flatMap(initialize(config, { task }), (model) => evaluateTexts(model, data, { ...options, metrics })),
    )
  const before = seen.length
  const cases = [
    [await refused(rows, []), "metrics must name at least one"],
    [await refused(fromRows([{ text: "sun" }], { text: "text" })), "rows ask for no text"],
    [await refused({ ...rows, rows: [] }), "no row to evaluate"],
    [await refused(texts(4), [witness], Task.classification(["food", "sky"])), "rows ask for no text"],
    [await refused(texts(4)), "but the model's task is causal-lm"],
  ] as const
  for (const [error, text] of cases) {
    assertEquals(error._tag, "TrainingError")
    assertStringIncludes(error.message, text)
  }
  assertEquals(seen.length, before)
})
