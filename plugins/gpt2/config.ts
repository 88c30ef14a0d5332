import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"

/** A config, checked, with transformers' names and defaults. */
export function readConfig(config: ConfigReader) {
  const named = (name: string, general: string) => blocks.spelling(config, name, general)
  const [width, count] = [named("n_embd", "hidden_size"), named("n_head", "num_attention_heads")]
  const hiddenSize = config.integer(width), heads = config.integer(count)
  if (hiddenSize % heads !== 0) throw config.error(count, `a divisor of ${width} ${hiddenSize}`)
  const positions = named("n_positions", "max_position_embeddings")
  const maxPositions = config.integer(positions, { default: 1024 })
  if (config.has("n_ctx") && config.integer("n_ctx") !== maxPositions) {
    throw config.error("n_ctx", `what ${positions} is, ${maxPositions}, or left out`)
  }
  return {
    hiddenSize,
    heads,
    maxPositions,
    layers: config.integer(named("n_layer", "num_hidden_layers")),
    intermediateSize: config.optional("n_inner", (name) => config.integer(name)) ?? 4 * hiddenSize,
    vocabSize: config.integer("vocab_size"),
    epsilon: config.number("layer_norm_epsilon", { default: 1e-5, min: 0 }),
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    bias: true,
    activation: blocks.readActivation(config, "activation_function", "gelu_new"),
    isScaled: config.boolean("scale_attn_weights", { default: true }),
    isScaledByLayer: config.boolean("scale_attn_by_inverse_layer_idx", { default: false }),
    embeddingDropout: blocks.readRate(config, "embd_pdrop", 0.1),
    dropout: blocks.readRate(config, "attn_pdrop", 0.1),
    hiddenDropout: blocks.readRate(config, "resid_pdrop", 0.1),
    tokenDropout: blocks.readRate(config, "classifier_dropout", blocks.readRate(config, "hidden_dropout", 0.1)),
    isTied: config.boolean("tie_word_embeddings", { default: true }),
  }
}
/** A config, checked. */
export type Config = ReturnType<typeof readConfig>
