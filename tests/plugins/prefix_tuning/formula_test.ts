import { assert } from "@std/assert"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import { distilBert, llama, rowsOf, type Vector, type Weights } from "../_formulas.ts"
import { distilBertConfig, equalsFormula, llamaConfig } from "../_padded.ts"

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

for (const prefixProjection of [false, true]) {
  const method = () =>
    PrefixTuning.layer({ numVirtualTokens: 3, prefixProjection, ...(prefixProjection ? { encoderHiddenSize: 5 } : {}) })

  Deno.test(`DistilBERT on padded rows (no reference in PEFT), projection ${prefixProjection}`, async () => {
    const trained = await equalsFormula(
      distilBertConfig,
      method(),
      (weights, tokens) => distilBert(distilBertConfig, weights, tokens, { prefix: prefixOf(weights, 16) }),
    )
    assert(trained.includes("classifier.weight") && trained.some((key) => key.startsWith(ID)))
  })

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
