import * as Lfm2 from "../../plugins/lfm2/mod.ts"
import type { FeatureGroup } from "./group.ts"

export const lfm2: FeatureGroup = {
  title: "LFM2",
  layer: Lfm2.layer,
  models: {
    LFM2: {
      model_type: "lfm2",
      vocab_size: 13,
      hidden_size: 16,
      intermediate_size: 24,
      block_multiple_of: 8,
      num_hidden_layers: 2,
      layer_types: ["conv", "full_attention"],
      num_attention_heads: 2,
      num_key_value_heads: 1,
      max_position_embeddings: 16,
      initializer_range: 0.3,
    },
  },
  tasks: ["Causal language modelling"],
}
