import * as T5 from "../../plugins/t5/mod.ts"
import type { FeatureGroup, ModelConfig } from "./group.ts"

const version: ModelConfig = {
  model_type: "t5",
  vocab_size: 13,
  d_model: 16,
  d_kv: 8,
  d_ff: 16,
  num_layers: 1,
  num_heads: 2,
  relative_attention_num_buckets: 8,
  relative_attention_max_distance: 16,
  dropout_rate: 0,
}

export const t5: FeatureGroup = {
  title: "T5",
  layer: T5.layer,
  models: {
    "T5 1.0": version,
    "T5 1.1": { ...version, feed_forward_proj: "gated-gelu", tie_word_embeddings: false },
    "mT5": { ...version, model_type: "mt5" },
  },
  tasks: ["Seq2seq"],
}
