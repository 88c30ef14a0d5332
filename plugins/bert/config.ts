import type { ConfigFields } from "../../core/formats/json/config_fields.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"

/** A checked config. */
export interface BertConfig {
  /** Number of token ids. */
  readonly vocabSize: number
  /** Width between layers. */
  readonly hiddenSize: number
  /** Width inside the feed-forward. */
  readonly intermediateSize: number
  /** Number of layers. */
  readonly layers: number
  /** Number of heads, a divisor of `hiddenSize`. */
  readonly heads: number
  /** Longest sequence. */
  readonly maxPositions: number
  /** Number of token types; 0 if the model has none. All tokens have type 0. */
  readonly tokenTypes: number
  /** Added to the variance in norms. */
  readonly epsilon: number
  /** Standard deviation of new weights. */
  readonly std: number
  /** Whether the output matrix of the masked language model is tied to the embedding. */
  readonly tied: boolean
  /** Activation of the feed-forward. */
  readonly activation: (x: Tensor) => Tensor
  /** Dropout on embeddings and on the outputs of attention and feed-forward. */
  readonly dropout: number
  /** Dropout before the classifier of texts. */
  readonly classifierDropout: number
  /** Dropout before the classifier of tokens. */
  readonly tokenDropout: number
  /** Dropout on attention's weights. */
  readonly attentionDropout: number
}

const ACTIVATIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  gelu: ops.gelu,
  gelu_new: ops.geluTanh,
  gelu_pytorch_tanh: ops.geluTanh,
  relu: ops.relu,
  silu: ops.silu,
  swish: ops.silu,
}

/** Ignored fields: written by converters of the first models, or for heads of other tasks. */
export const fields: ConfigFields = {
  harmless: [
    "directionality",
    ...["fc_size", "num_attention_heads", "num_fc_layers", "size_per_head", "type"].map((name) => `pooler_${name}`),
    "sinusoidal_pos_embds",
    "qa_dropout",
    "tie_weights_",
  ],
  neutral: { is_causal: [false] },
}

/** Reads a BERT's config with transformers' names and defaults. Throws JsonError. */
export function readBertConfig(config: ConfigReader): BertConfig {
  config.string("position_embedding_type", { default: "absolute", choices: ["absolute"] })
  if (config.boolean("is_decoder", { default: false })) {
    throw config.error("is_decoder", "false: attention looks both ways here")
  }
  const dropout = rate(config, "hidden_dropout_prob", 0.1)
  const classifierDropout = rate(config, "classifier_dropout", dropout)
  return {
    ...readShared(config, "hidden_size", "num_attention_heads"),
    intermediateSize: config.integer("intermediate_size"),
    layers: config.integer("num_hidden_layers"),
    tokenTypes: config.integer("type_vocab_size", { default: 2 }),
    epsilon: config.number("layer_norm_eps", { default: 1e-12, min: 0 }),
    activation: activation(config, "hidden_act"),
    dropout,
    classifierDropout,
    tokenDropout: classifierDropout,
    attentionDropout: rate(config, "attention_probs_dropout_prob", 0.1),
  }
}

/** Reads a DistilBERT's config with transformers' names and defaults. Throws JsonError. */
export function readDistilBertConfig(config: ConfigReader): BertConfig {
  const dropout = rate(config, "dropout", 0.1)
  return {
    ...readShared(config, spelling(config, "dim", "hidden_size"), spelling(config, "n_heads", "num_attention_heads")),
    intermediateSize: config.integer("hidden_dim"),
    layers: config.integer(spelling(config, "n_layers", "num_hidden_layers")),
    tokenTypes: 0,
    epsilon: 1e-12,
    activation: activation(config, "activation"),
    dropout,
    classifierDropout: rate(config, "seq_classif_dropout", 0.2),
    tokenDropout: dropout,
    attentionDropout: rate(config, "attention_dropout", 0.1),
  }
}

/** A field with two names; if both are present, they must agree. */
function spelling(config: ConfigReader, name: string, general: string): string {
  const both = config.has(name) && config.has(general)
  if (both && config.record[name] !== config.record[general]) {
    throw config.error(general, `what ${name} is, ${JSON.stringify(config.record[name])}, or left out`)
  }
  return config.has(general) ? general : name
}

function readShared(
  config: ConfigReader,
  width: string,
  heads: string,
): Pick<BertConfig, "vocabSize" | "hiddenSize" | "heads" | "maxPositions" | "std" | "tied"> {
  if (config.record.tie_word_embeddings === null) throw config.error("tie_word_embeddings", "true or false")
  const hiddenSize = config.integer(width)
  const count = config.integer(heads)
  if (hiddenSize % count !== 0) throw config.error(heads, `a divisor of ${width} ${hiddenSize}`)
  return {
    vocabSize: config.integer("vocab_size"),
    hiddenSize,
    heads: count,
    maxPositions: config.integer("max_position_embeddings"),
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    tied: config.boolean("tie_word_embeddings", { default: true }),
  }
}

function activation(config: ConfigReader, name: string): (x: Tensor) => Tensor {
  return ACTIVATIONS[config.string(name, { default: "gelu", choices: Object.keys(ACTIVATIONS) })]
}

function rate(config: ConfigReader, name: string, otherwise: number): number {
  const value = config.number(name, { default: otherwise, min: 0 })
  if (value < 1) return value
  throw config.error(name, "a number from 0 and below 1")
}
