import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import { ropeOf } from "./rope.ts"

/** Names of transformers' classes, and defaults of transformers 4.57 and 5.24. */
export const TYPES = {
  llama: { name: "Llama", maxPositions: 2048, slides: "none", heads: {} },
  mistral: { name: "Mistral", maxPositions: 131072, slides: "all", heads: { keyValueHeads: 8 } },
  qwen2: { name: "Qwen2", maxPositions: 32768, slides: "some", heads: { keyValueHeads: 32 } },
  qwen3: { name: "Qwen3", maxPositions: 32768, slides: "some", heads: { keyValueHeads: 32, headDim: 128 } },
} as const

/** A config, checked, with transformers' names and defaults. */
export function readConfig(config: ConfigReader) {
  const type = config.string("model_type") as keyof typeof TYPES
  const { name, slides, ...defaults } = TYPES[type]
  const sizes = blocks.readHeads(config, defaults.heads)
  const maxPositions = config.integer("max_position_embeddings", { default: defaults.maxPositions })
  // Of Qwen2 biases are fixed, whatever the file says.
  const bias = type !== "mistral" && config.boolean("attention_bias", { default: false })
  return {
    name,
    ...sizes,
    intermediateSize: config.integer("intermediate_size"),
    vocabSize: config.integer("vocab_size"),
    maxPositions,
    epsilon: config.number("rms_norm_eps", { default: 1e-6, min: 0 }),
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    bias: bias || type === "qwen2",
    outputBias: bias && type !== "qwen2",
    feedForwardBias: type === "llama" && config.boolean("mlp_bias", { default: false }),
    hasHeadNorms: type === "qwen3",
    rope: ropeOf(config, { headDim: sizes.headDim, maxPositions }),
    windows: blocks.readWindows(config, { layers: config.integer("num_hidden_layers"), maxPositions, slides }),
    dropout: blocks.readRate(config, "attention_dropout", 0),
    tokenDropout: blocks.readRate(config, "classifier_dropout", blocks.readRate(config, "hidden_dropout", 0.1)),
    activation: blocks.readActivation(config, "hidden_act", "silu"),
    isTied: config.boolean("tie_word_embeddings", { default: false }),
  }
}

/** A config, checked. */
export type Config = ReturnType<typeof readConfig>
