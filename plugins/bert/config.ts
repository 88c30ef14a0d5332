import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"

/** What the model types have alike, with transformers' names and defaults. */
function readShared(config: ConfigReader, width: string, heads: string) {
  if (config.record.tie_word_embeddings === null) throw config.error("tie_word_embeddings", "true or false")
  const hiddenSize = config.integer(width)
  const count = config.integer(heads)
  if (hiddenSize % count !== 0) throw config.error(heads, `a divisor of ${width} ${hiddenSize}`)
  return {
    vocabSize: config.integer("vocab_size"),
    hiddenSize,
    heads: count,
    causal: false,
    gated: false,
    bias: true,
    maxPositions: config.integer("max_position_embeddings"),
    /** Row of the first position. */
    firstPosition: 0,
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    isTied: config.boolean("tie_word_embeddings", { default: true }),
  }
}

/** Of BERT. */
export function readBert(config: ConfigReader) {
  config.string("position_embedding_type", { default: "absolute", choices: ["absolute"] })
  if (config.boolean("is_decoder", { default: false })) {
    throw config.error("is_decoder", "false: attention looks both ways here")
  }
  const hiddenDropout = blocks.readRate(config, "hidden_dropout_prob", 0.1)
  const classifierDropout = blocks.readRate(config, "classifier_dropout", hiddenDropout)
  return {
    ...readShared(config, "hidden_size", "num_attention_heads"),
    intermediateSize: config.integer("intermediate_size"),
    layers: config.integer("num_hidden_layers"),
    tokenTypes: config.integer("type_vocab_size", { default: 2 }),
    epsilon: config.number("layer_norm_eps", { default: 1e-12, min: 0 }),
    activation: blocks.readActivation(config, "hidden_act", "gelu"),
    dropout: blocks.readRate(config, "attention_probs_dropout_prob", 0.1),
    hiddenDropout,
    classifierDropout,
    tokenDropout: classifierDropout,
  }
}

/** A config, checked. */
export type Config = ReturnType<typeof readBert>

/** Of RoBERTa: positions begin after the row of the padding token. */
export function readRoberta(config: ConfigReader): Config {
  if (config.record.pad_token_id === null) {
    throw config.error("pad_token_id", "a whole number: positions begin after it")
  }
  const firstPosition = config.integer("pad_token_id", { default: 1, min: 0 }) + 1
  const read = readBert(config)
  if (firstPosition >= read.maxPositions) {
    throw config.error("max_position_embeddings", `more than ${firstPosition}, where positions begin`)
  }
  return { ...read, maxPositions: read.maxPositions - firstPosition, firstPosition }
}

/** Of DistilBERT. */
export function readDistilBert(config: ConfigReader): Config {
  const hiddenDropout = blocks.readRate(config, "dropout", 0.1)
  return {
    ...readShared(config, spelling(config, "dim", "hidden_size"), spelling(config, "n_heads", "num_attention_heads")),
    intermediateSize: config.integer("hidden_dim"),
    layers: config.integer(spelling(config, "n_layers", "num_hidden_layers")),
    tokenTypes: 0,
    epsilon: 1e-12,
    activation: blocks.readActivation(config, "activation", "gelu"),
    dropout: blocks.readRate(config, "attention_dropout", 0.1),
    hiddenDropout,
    classifierDropout: blocks.readRate(config, "seq_classif_dropout", 0.2),
    tokenDropout: hiddenDropout,
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
