/**
 * Granite: decoders with a factor on embeddings, on scores of attention, on what layers add, and on logits, for causal language
 * modelling. Model types `granite` and `granitemoehybrid` without experts and state spaces, under Hugging Face's names.
 *
 * ```ts
 * import * as Granite from "@espalier/espalier/granite"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(Granite.layer)
 * ```
 *
 * @module
 */
import * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { type Families, type Family, family } from "../../core/model/load/families.ts"
import { decoderOf } from "../decoder/mod.ts"
import { readDense, readGranite } from "./config.ts"

export type { ConfigFields, Families, FamiliesService, Family } from "../../core/model/load/families.ts"

const built = (read: typeof readGranite): Family["build"] => (config, head) => decoderOf(read(config), head)

/** transformers has no other heads of it. */
const HEADS = ["vocabulary"] as const

/** The family. */
export const granite: Family = { modelTypes: ["granite"], attention: "causal", heads: HEADS, build: built(readGranite) }

/** The hybrid, where all of its layers attend and none has experts. */
export const graniteDense: Family = {
  modelTypes: ["granitemoehybrid"],
  attention: "causal",
  heads: HEADS,
  build: built(readDense),
  fields: {
    harmless: ["num_experts_per_tok", "output_router_logits", "router_aux_loss_coef", "time_step_limit"]
      .concat(["n_heads", "n_groups", "d_state", "d_head", "d_conv", "expand", "chunk_size", "conv_bias", "proj_bias"]
        .map((name) => `mamba_${name}`)),
  },
}

/** Registers both for `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = Layer.merge(family(granite), family(graniteDense))
