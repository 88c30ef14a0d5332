import * as Bert from "../../plugins/bert/mod.ts"
import type { FeatureGroup } from "./group.ts"

export const bert: FeatureGroup = {
  title: "BERT",
  layer: Bert.layer,
  models: {
    BERT: {
      model_type: "bert",
      vocab_size: 13,
      hidden_size: 16,
      intermediate_size: 16,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      max_position_embeddings: 16,
      initializer_range: 0.3,
    },
    DistilBERT: {
      model_type: "distilbert",
      vocab_size: 13,
      dim: 16,
      hidden_dim: 16,
      n_layers: 1,
      n_heads: 2,
      max_position_embeddings: 16,
      initializer_range: 0.3,
    },
  },
  tasks: ["Classification", "Token classification", "Masked language modelling"],
  isInvariant: (key) => /\.k_lin\.bias$/.test(key),
}

export const roberta: FeatureGroup = {
  title: "RoBERTa",
  layer: Bert.layer,
  models: { RoBERTa: { ...bert.models.BERT, model_type: "roberta", type_vocab_size: 1 } },
  tasks: bert.tasks,
}
