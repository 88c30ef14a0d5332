import * as Granite from "../../plugins/granite/mod.ts"
import type { FeatureGroup } from "./group.ts"

const common = {
  vocab_size: 13,
  hidden_size: 16,
  intermediate_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 16,
  initializer_range: 0.3,
  embedding_multiplier: 3,
  attention_multiplier: 0.2,
  residual_multiplier: 0.4,
  logits_scaling: 0.5,
}

export const granite: FeatureGroup = {
  title: "Granite",
  layer: Granite.layer,
  models: {
    "Granite 3": { ...common, model_type: "granite" },
    "Granite 4": {
      ...common,
      model_type: "granitemoehybrid",
      shared_intermediate_size: 16,
      layer_types: ["attention"],
      num_local_experts: 0,
      position_embedding_type: "rope",
    },
  },
  tasks: ["Causal language modelling"],
}
