/** A small LFM2: two convolutions, with biases, around attention. */
export const tiny = {
  model_type: "lfm2",
  vocab_size: 17,
  hidden_size: 16,
  intermediate_size: 24,
  block_multiple_of: 4,
  num_hidden_layers: 3,
  layer_types: ["conv", "full_attention", "conv"],
  conv_bias: true,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
  initializer_range: 0.6,
  tie_word_embeddings: false,
} as const
