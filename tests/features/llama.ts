import * as Llama from "../../plugins/llama/mod.ts"
import type { FeatureGroup, ModelConfig } from "./group.ts"

/** A width of heads that the hidden width does not give; a window that is shorter than the rows, which two layers bridge. */
const OWN_FIELDS: Readonly<Record<string, ModelConfig>> = {
  Qwen3: { head_dim: 12 },
  Mistral: { sliding_window: 3, num_hidden_layers: 2 },
}

export const llama: FeatureGroup = {
  title: "Llama",
  layer: Llama.layer,
  models: Object.fromEntries(["Llama", "Qwen2", "Qwen3", "Mistral"].map((name) => [name, {
    model_type: name.toLowerCase(),
    vocab_size: 13,
    hidden_size: 16,
    intermediate_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    max_position_embeddings: 16,
    initializer_range: 0.3,
    ...OWN_FIELDS[name],
  }])),
  tasks: ["Classification", "Token classification", "Causal language modelling"],
}
