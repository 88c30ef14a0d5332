import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import { layerKinds } from "./layer_kinds.ts"

/** Where the model types differ. */
const TYPES = {
  modernbert: {
    name: "ModernBert",
    causal: false,
    projections: ["Wqkv"],
    // A token sees half of a window on each side, and itself.
    window: (whole: number) => Math.floor(whole / 2) + 1,
    localTheta: 10000,
    languageHead: "head",
  },
  "modernbert-decoder": {
    name: "ModernBertDecoder",
    causal: true,
    projections: ["q_proj", "k_proj", "v_proj"],
    // It sees that many, itself among them.
    window: (whole: number) => Math.floor(whole / 2),
    localTheta: undefined,
    languageHead: "lm_head",
  },
} as const

const POOLINGS = { cls: blocks.firstPlace, mean: blocks.meanPlace }

const readPooling = (config: ConfigReader) =>
  config.string("classifier_pooling", { default: "cls", choices: Object.keys(POOLINGS) }) as keyof typeof POOLINGS

/** A config, checked, with the names and defaults of transformers 4.57 and 5.24. */
export function readConfig(config: ConfigReader) {
  const { window, localTheta, ...type } = TYPES[config.string("model_type") as keyof typeof TYPES]
  const hiddenSize = config.integer("hidden_size")
  const heads = config.integer("num_attention_heads")
  if (hiddenSize % heads !== 0) throw config.error("num_attention_heads", `a divisor of hidden_size ${hiddenSize}`)
  const maxPositions = config.integer("max_position_embeddings", { default: 8192 })
  const bias = (field: string, otherwise = false) => config.boolean(field, { default: otherwise })
  return {
    ...type,
    hiddenSize,
    heads,
    layers: layerKinds(config, { window, localTheta }, { headDim: hiddenSize / heads, maxPositions }),
    intermediateSize: config.integer("intermediate_size"),
    vocabSize: config.integer("vocab_size"),
    maxPositions,
    epsilon: config.number("norm_eps", { default: 1e-5, min: 0 }),
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    attentionBias: bias("attention_bias"),
    feedForwardBias: bias("mlp_bias"),
    normBias: bias("norm_bias"),
    headBias: bias("classifier_bias"),
    decoderBias: bias("decoder_bias", true),
    activation: blocks.readActivation(config, "hidden_activation", "gelu"),
    headActivation: blocks.readActivation(config, "classifier_activation", "gelu"),
    pooling: type.causal ? blocks.lastToken : POOLINGS[readPooling(config)],
    embeddingDropout: blocks.readRate(config, "embedding_dropout", 0),
    headDropout: blocks.readRate(config, "classifier_dropout", 0),
    isTied: bias("tie_word_embeddings", true),
  }
}

/** A config, checked. */
export type Config = ReturnType<typeof readConfig>
