import * as Gemma from "../../plugins/gemma/mod.ts"
import type { FeatureGroup } from "./group.ts"

/** A layer that slides, with a window shorter than the rows, and one that does not; caps that bend. */
const common = {
  vocab_size: 13,
  hidden_size: 16,
  intermediate_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 8,
  max_position_embeddings: 16,
  initializer_range: 0.3,
  query_pre_attn_scalar: 12,
  sliding_window: 3,
  layer_types: ["sliding_attention", "full_attention"],
}
const caps = { attn_logit_softcapping: 2, final_logit_softcapping: 3 }

export const gemma: FeatureGroup = {
  title: "Gemma",
  layer: Gemma.layer,
  models: {
    "Gemma 3": { ...common, model_type: "gemma3_text" },
    "Gemma 2": { ...common, ...caps, model_type: "gemma2" },
    "VaultGemma": { ...common, ...caps, model_type: "vaultgemma" },
  },
  tasks: ["Classification", "Token classification", "Causal language modelling"],
}
