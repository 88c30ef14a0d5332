import { assert } from "@std/assert"
import * as PromptTuning from "../../../plugins/prompt_tuning/mod.ts"
import { distilBert, llama, rowsOf, type Vector, type Weights } from "../formulas.ts"
import { distilBertConfig, equalsFormula, llamaConfig } from "../padded.ts"

/** A prompt's rows, through the network where there is one. */
function promptOf(weights: Weights, module: string): ReadonlyArray<Vector> {
  const get = (name: string) => weights.get(`prompt_tuning/default:${module}.${name}`)
  const rows = rowsOf(get("embedding.weight")!, 16)
  if (get("mlp_head.0.weight") === undefined) return rows
  const product = (name: string, x: Vector) =>
    rowsOf(get(`${name}.weight`)!, x.length).map((row, i) =>
      row.reduce((sum, weight, j) => sum + weight * x[j], get(`${name}.bias`)![i])
    )
  const relu = (x: Vector) => x.map((value) => Math.max(value, 0))
  return rows.map((x) => product("mlp_head.4", relu(product("mlp_head.2", relu(product("mlp_head.0", x))))))
}

const methods: ReadonlyArray<PromptTuning.PromptTuningOptions> = [
  { numVirtualTokens: 3, promptTuningInit: "RANDOM" },
  { numVirtualTokens: 3, encoderReparameterizationType: "MLP", encoderHiddenSize: 5 },
]
for (const options of methods) {
  const name = options.encoderReparameterizationType === undefined ? "prompt tuning" : "P-tuning"

  Deno.test(`${name}: DistilBERT on padded rows`, async () => {
    const trained = await equalsFormula(
      distilBertConfig,
      PromptTuning.layer(options),
      (weights, tokens) => distilBert(distilBertConfig, weights, tokens, { rows: promptOf(weights, "distilbert") }),
    )
    assert(trained.includes("classifier.weight"))
  })

  Deno.test(`${name}: Llama's last token on padded rows (transformers' head takes padding)`, async () => {
    const trained = await equalsFormula(llamaConfig, PromptTuning.layer(options), (weights, tokens) => {
      const hidden = llama(llamaConfig, weights, tokens, { rows: promptOf(weights, "model") })
      return rowsOf(weights.get("score.weight")!, 16).map((row) =>
        row.reduce((sum, weight, i) => sum + weight * hidden[tokens.length - 1][i], 0)
      )
    })
    assert(trained.includes("score.weight"))
  })
}
