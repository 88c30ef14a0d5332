import { assert } from "@std/assert"
import * as Effect from "effect/Effect"
import { initialize, readParameters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import { euroBert, euroBertConfig, modernBert, modernBertConfig, mpnet, mpnetConfig } from "../encoder_formulas.ts"
import { type Before, distilBert, llama, rowsOf, type Vector, type Weights } from "../formulas.ts"
import { distance, run } from "../../support/model_layer.ts"
import { distilBertConfig, equalsFormula, llamaConfig } from "../padded.ts"

const ID = "prefix_tuning/default"

/** A prefix's keys and values, of a width, at an attention; through the network where there is one. */
const prefixOf = (weights: Weights, width: number) => (path: string) => {
  const get = (name: string) => weights.get(`${ID}:${name}`)
  const embedding = get("shared.embedding.weight")
  const product = (name: string, x: Vector) =>
    rowsOf(get(`${name}.weight`)!, x.length).map((row, i) =>
      row.reduce((sum, weight, j) => sum + weight * x[j], get(`${name}.bias`)![i])
    )
  const [keys, values] = ["keys", "values"].map((name) => {
    if (embedding === undefined) return rowsOf(get(`${path}.${name}`)!, width)
    const hidden = rowsOf(embedding, width).map((x) => product("shared.transform.0", x).map(Math.tanh))
    return hidden.map((x) => product(`${path}.${name}`, x))
  })
  return { keys, values }
}

/** Families that PEFT refuses: their config, their formula, and the width of an attention's keys. */
const FAMILIES: ReadonlyArray<
  readonly [string, Readonly<Record<string, unknown>>, (w: Weights, tokens: Vector, before: Before) => Vector, number]
> = [
  ["DistilBERT", distilBertConfig, (...row) => distilBert(distilBertConfig, ...row), 16],
  ["ModernBERT", modernBertConfig, modernBert, 16],
  ["MPNet", mpnetConfig, mpnet, 16],
  ["EuroBERT with grouped heads", euroBertConfig, euroBert, 8],
]

for (const prefixProjection of [false, true]) {
  const method = () =>
    PrefixTuning.layer({ numVirtualTokens: 3, prefixProjection, ...(prefixProjection ? { encoderHiddenSize: 5 } : {}) })

  for (const [name, config, formula, width] of FAMILIES) {
    Deno.test(`${name} on padded rows (no reference in PEFT), projection ${prefixProjection}`, async () => {
      const trained = await equalsFormula(
        config,
        method(),
        (weights, tokens) => formula(weights, tokens, { prefix: prefixOf(weights, width) }),
      )
      assert(trained.some((key) => key.startsWith("classifier.")) && trained.some((key) => key.startsWith(ID)))
    })
  }

  Deno.test(`Llama with grouped heads on padded rows, projection ${prefixProjection}`, async () => {
    const trained = await equalsFormula(llamaConfig, method(), (weights, tokens) => {
      const hidden = llama(llamaConfig, weights, tokens, { prefix: prefixOf(weights, 8) })
      return rowsOf(weights.get("score.weight")!, 16).map((row) =>
        row.reduce((sum, weight, i) => sum + weight * hidden[tokens.length - 1][i], 0)
      )
    })
    assert(trained.includes("score.weight") && trained.some((key) => key.startsWith(ID)))
  })
}

Deno.test("a prefix from a text has the keys and values that a DistilBERT makes of it", async () => {
  const text = [5, 2, 11, 7]
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(distilBertConfig, { task: Task.classification(["a", "b"]) })
      const values = yield* readParameters(model, model.parameters)
      const weights = new Map(values.map(({ parameter, data }) => [parameter.key, data]))
      let count = 0
      distilBert(distilBertConfig, weights, text, {
        see: (path, keys, values) => {
          for (const [name, expected] of [["keys", keys], ["values", values]] as const) {
            const error = distance(weights.get(`${ID}:${path}.${name}`)!, expected.flat())
            assert(error < 1e-6, `${name} of ${path} are off by ${error}`)
            count++
          }
        },
      })
      assert(count === 4)
    }),
    PrefixTuning.layer({ numVirtualTokens: text.length, initText: text }),
  )
})
