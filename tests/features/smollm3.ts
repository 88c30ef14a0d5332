import * as SmolLM3 from "../../plugins/smollm3/mod.ts"
import type { FeatureGroup } from "./group.ts"

export const smollm3: FeatureGroup = {
  title: "SmolLM3",
  layer: SmolLM3.layer,
  models: {
    SmolLM3: {
      model_type: "smollm3",
      vocab_size: 13,
      hidden_size: 16,
      intermediate_size: 16,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      max_position_embeddings: 16,
      initializer_range: 0.3,
      no_rope_layers: [1, 0],
    },
  },
  tasks: ["Classification", "Token classification", "Causal language modelling"],
}
