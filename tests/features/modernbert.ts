import * as ModernBert from "../../plugins/modernbert/mod.ts"
import type { FeatureGroup, ModelConfig } from "./group.ts"

/** The second layer sees windows that are shorter than the rows. */
const sizes: ModelConfig = {
  vocab_size: 13,
  hidden_size: 16,
  intermediate_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  local_attention: 2,
  global_rope_theta: 10000,
  local_rope_theta: 10000,
  max_position_embeddings: 16,
  initializer_range: 0.3,
}

export const modernBert: FeatureGroup = {
  title: "ModernBERT",
  layer: ModernBert.layer,
  models: {
    "ModernBERT": { ...sizes, model_type: "modernbert" },
    "Ettin decoder": { ...sizes, model_type: "modernbert-decoder" },
  },
  isBesideHead: (key) => key.startsWith("head."),
  tasks: [
    "Classification",
    "Token classification",
    "Masked language modelling",
    "Causal language modelling",
  ],
}
