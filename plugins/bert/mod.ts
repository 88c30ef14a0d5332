/**
 * The BERT family: bidirectional encoders for classification of texts and tokens, masked language modelling, and
 * embeddings of texts. Model types `bert` (which includes MiniLM) and `distilbert`, with Hugging Face's names.
 *
 * ```ts
 * import * as Bert from "@espalier/espalier/bert"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(Bert.layer)
 * ```
 *
 * `Trainer.embed` computes embeddings, for any task of the model:
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Model, Task, Trainer } from "@espalier/espalier"
 *
 * export const cosine = Effect.gen(function* () {
 *   const model = yield* Model.load("./minilm", { task: Task.maskedLM() })
 *   const [a, b] = yield* Trainer.embed(model, ["a pear tree", "an apple tree"], { normalize: true })
 *   return a.reduce((sum, x, i) => sum + x * b[i], 0)
 * })
 * ```
 *
 * @module
 */
import type * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { type Families, family } from "../../core/model/load/families.ts"
import { fields } from "./config.ts"
import { buildNetwork, modelTypes } from "./network.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"
export { modelTypes }

/** Registers the family for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family({
  modelTypes,
  attention: "bidirectional",
  build: buildNetwork,
  fields,
})
