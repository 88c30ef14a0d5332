/**
 * A small BERT for tests of adapters.
 * @module
 */

/** Numbers a token. */
export const WIDTH = 16

/** Its config.json. */
export const SMALL_BERT = {
  model_type: "bert",
  vocab_size: 300,
  hidden_size: WIDTH,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 32,
  initializer_range: 0.3,
}

/** The path of its values' module. */
export const VALUE = "bert.encoder.layer.0.attention.self.value"
