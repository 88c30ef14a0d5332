import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"

/** `feed_forward_proj`, whose two parts transformers also writes apart. */
function readFeedForward(
  config: ConfigReader,
  usual: string,
): { readonly gated: boolean; readonly activation: blocks.Activation } {
  const projection = config.string("feed_forward_proj", { default: usual })
  const [, gate, name] = /^(gated-)?([^-]+)$/.exec(projection) ?? []
  if (name === undefined) throw config.error("feed_forward_proj", 'the name of an activation, or "gated-" before one')
  return {
    gated: config.boolean("is_gated_act", { default: gate !== undefined }),
    // As in transformers, the gated one is the approximation by tanh.
    activation: blocks.readActivation(config, "dense_act_fn", projection === "gated-gelu" ? "gelu_new" : name),
  }
}

function readBuckets(config: ConfigReader): { readonly count: number; readonly maxDistance: number } {
  const count = config.integer("relative_attention_num_buckets", { default: 32, min: 4 })
  const least = Math.floor(count / 2) + 1
  const maxDistance = config.integer("relative_attention_max_distance", { default: 128 })
  if (maxDistance >= least) return { count, maxDistance }
  throw config.error("relative_attention_max_distance", `an integer of at least ${least}, for ${count} buckets`)
}

/** Defaults of transformers by model type, and its class. mT5 is T5 1.1 with another vocabulary. */
export const TYPES = {
  t5: { name: "T5", vocabSize: 32128, intermediateSize: 2048, layers: 6, heads: 8, feedForward: "relu", isTied: true },
  mt5: {
    name: "MT5",
    vocabSize: 250112,
    intermediateSize: 1024,
    layers: 8,
    heads: 6,
    feedForward: "gated-gelu",
    isTied: false,
  },
} as const

/** A config, checked, with transformers' names and defaults. */
export function readConfig(config: ConfigReader) {
  const type = config.string("model_type") as keyof typeof TYPES
  const usual = TYPES[type]
  const layers = config.integer("num_layers", { default: usual.layers })
  const isTied = config.boolean("tie_word_embeddings", { default: usual.isTied })
  if (!config.boolean("is_encoder_decoder", { default: true })) {
    throw config.error("is_encoder_decoder", "true: an encoder alone is not known here")
  }
  const padToken = config.integer("pad_token_id", { default: 0, min: 0 })
  return {
    type,
    vocabSize: config.integer("vocab_size", { default: usual.vocabSize }),
    hiddenSize: config.integer("d_model", { default: 512 }),
    headDim: config.integer("d_kv", { default: 64 }),
    intermediateSize: config.integer("d_ff", { default: usual.intermediateSize }),
    heads: config.integer("num_heads", { default: usual.heads }),
    layers,
    decoderLayers: config.integer("num_decoder_layers", { default: layers }),
    ...readFeedForward(config, usual.feedForward),
    buckets: readBuckets(config),
    dropout: blocks.readRate(config, "dropout_rate", 0.1),
    epsilon: config.number("layer_norm_epsilon", { default: 1e-6, min: 0 }),
    factor: config.number("initializer_factor", { default: 1, min: 0 }),
    isTied,
    // transformers 4 scales where weights are tied; 5 has a field for it in T5, and never scales in mT5.
    isScaled: config.boolean("scale_decoder_outputs", { default: isTied && type === "t5" }),
    padToken,
    startToken: config.integer("decoder_start_token_id", { default: padToken, min: 0 }),
  }
}

/** A config, checked. */
export type Config = ReturnType<typeof readConfig>
