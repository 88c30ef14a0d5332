/**
 * SmolLM3: decoders whose layers have rotary positions but for every fourth one, for causal language modelling, and for
 * numbers by sequence or by token (classification, regression). Model type `smollm3`, under Hugging Face's names.
 *
 * ```ts
 * import * as SmolLM3 from "@espalier/espalier/smollm3"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(SmolLM3.layer)
 * ```
 *
 * @module
 */
import type * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { type Families, type Family, family } from "../../core/model/load/families.ts"
import { decoderOf } from "../decoder/mod.ts"
import { readConfig } from "./config.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

/** The family. */
export const smolLM3: Family = {
  modelTypes: ["smollm3"],
  attention: "causal",
  build: (config, head) => decoderOf(readConfig(config), head),
}

/** Registers the family for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family(smolLM3)
