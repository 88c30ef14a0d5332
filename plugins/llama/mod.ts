/**
 * The Llama family: decoders with grouped-query attention, rotary positions (plain, or scaled: linear, dynamic, llama3, yarn), RMS norm
 * and gated feed-forward, for causal language modelling, and for numbers by sequence or by token (classification, regression). Model types `llama`, `qwen2` and
 * `mistral` (without a sliding window), under Hugging Face's names.
 *
 * ```ts
 * import * as Llama from "@espalier/espalier/llama"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(Llama.layer)
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

/** Makes the family known to `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family({
  modelTypes,
  attention: "causal",
  build: buildNetwork,
  fields,
})
