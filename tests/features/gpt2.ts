import * as Gpt2 from "../../plugins/gpt2/mod.ts"
import type { FeatureGroup } from "./group.ts"

export const gpt2: FeatureGroup = {
  title: "GPT-2",
  layer: Gpt2.layer,
  models: {
    "GPT-2": {
      model_type: "gpt2",
      vocab_size: 13,
      n_embd: 16,
      n_inner: 16,
      n_layer: 1,
      n_head: 2,
      n_positions: 16,
      initializer_range: 0.3,
    },
  },
  tasks: ["Classification", "Token classification", "Causal language modelling"],
}
