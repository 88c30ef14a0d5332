import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import { type LayerTypes, layerTypes } from "./layer_types.ts"

/** Where the model types differ. */
const TYPES = {
  modernbert: {
    name: "ModernBert",
    causal: false,
    projections: ["Wqkv"],
    // A token sees half of a window on each side, and itself.
    window: (whole: number) => Math.floor(whole / 2) + 1,
    languageHead: "head",
    // transformers 5 and 4 take the same where the file says nothing.
    localTheta: 10000,
  },
  "modernbert-decoder": {
    name: "ModernBertDecoder",
    causal: true,
    projections: ["q_proj", "k_proj", "v_proj"],
    window: (whole: number) => Math.floor(whole / 2),
    languageHead: "lm_head",
    localTheta: undefined,
  },
} as const

const POOLINGS = { cls: blocks.firstPlace, mean: blocks.meanPlace }

const readPooling = (config: ConfigReader) =>
  config.string("classifier_pooling", { default: "cls", choices: Object.keys(POOLINGS) }) as keyof typeof POOLINGS

/** A config, checked, with the names and defaults of transformers 4.57 and 5.24. */
export function readConfig(config: ConfigReader) {
  const type = TYPES[config.string("model_type") as keyof typeof TYPES]
  const hiddenSize = config.integer("hidden_size")
  const heads = config.integer("num_attention_heads")
  if (hiddenSize % (2 * heads) !== 0) {
    throw config.error("num_attention_heads", `a number of heads of an even width, of hidden_size ${hiddenSize}`)
  }
  const bias = (field: string, otherwise = false) => config.boolean(field, { default: otherwise })
  return {
    ...type,
    hiddenSize,
    heads,
    layers: layersOf(config, layerTypes(config, type.localTheta), hiddenSize / heads, type.window),
    intermediateSize: config.integer("intermediate_size"),
    vocabSize: config.integer("vocab_size"),
    maxPositions: config.integer("max_position_embeddings", { default: 8192 }),
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

/** What tells the layers apart. */
export interface LayerKind {
  readonly rope: blocks.Rope
  readonly window: number | undefined
}

/** The layers: some see all tokens, the others a window. */
function layersOf(
  config: ConfigReader,
  { isGlobal, globalTheta, localTheta }: LayerTypes,
  headDim: number,
  windowOf: (whole: number) => number,
): ReadonlyArray<LayerKind> {
  const rope = (theta: number): blocks.Rope => ({ frequencies: blocks.ropeFrequencies(theta, headDim), scale: 1 })
  const whole = config.integer("local_attention", { default: 128, min: 2 })
  const half = config.integer("sliding_window", { default: Math.floor(whole / 2) })
  if (half !== Math.floor(whole / 2)) {
    throw config.error("sliding_window", `half of local_attention ${whole}, or left out`)
  }
  // One value for all layers of a kind: its tables are made once.
  const global = { rope: rope(globalTheta), window: undefined }
  const local = { rope: rope(localTheta), window: windowOf(whole) }
  return isGlobal.map((sees) => sees ? global : local)
}
