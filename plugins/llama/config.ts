import { JsonError } from "../../core/formats/json/json_error.ts"
import type { ConfigFields } from "../../core/formats/json/config_fields.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { type Rope, ropeOf } from "./rope.ts"

/** A config of the family, checked. */
export interface LlamaConfig {
  /** Number of token ids. */
  readonly vocabSize: number
  /** Width between layers. */
  readonly hiddenSize: number
  /** Width inside the feed-forward. */
  readonly intermediateSize: number
  /** Number of layers. */
  readonly layers: number
  /** Number of query heads. */
  readonly heads: number
  /** Number of key and value heads, a divisor of `heads`. */
  readonly keyValueHeads: number
  /** Width of a head. */
  readonly headDim: number
  /** Longest sequence. */
  readonly maxPositions: number
  /** Added to the mean square in norms. */
  readonly epsilon: number
  /** Standard deviation of new weights. */
  readonly std: number
  /** Whether queries, keys and values have biases. */
  readonly queryBias: boolean
  /** Whether attention's output has a bias. */
  readonly outputBias: boolean
  /** Whether the feed-forward has biases. */
  readonly feedForwardBias: boolean
  /** Whether the language model head is the embedding. */
  readonly tied: boolean
  /** Dropout before the classifier of tokens. */
  readonly tokenDropout: number
  /** Of the gate. */
  readonly activation: (x: Tensor) => Tensor
  /** Rotary positions. */
  readonly rope: Rope
  /** What of the config plays no part. */
  readonly notes: ReadonlyArray<string>
}

const ACTIVATIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  silu: ops.silu,
  swish: ops.silu,
  gelu: ops.gelu,
  gelu_new: ops.geluTanh,
  gelu_pytorch_tanh: ops.geluTanh,
  relu: ops.relu,
}

/** Defaults of transformers 4.57 and 5.24, by model type where they differ. */
const KEY_VALUE_HEADS: Readonly<Record<string, number>> = { mistral: 8, qwen2: 32 }
const MAX_POSITIONS: Readonly<Record<string, number>> = { llama: 2048, mistral: 131072, qwen2: 32768 }
const SLIDING_WINDOW = 4096
const MAX_WINDOW_LAYERS = 28

/** Of fields that are not read here. */
export const fields: ConfigFields = {
  harmless: ["is_decoder", "is_llama_config"],
  neutral: { is_causal: [true], use_rope: [true] },
}

/** Reads a config with transformers' names and defaults. Throws {@link JsonError}. */
export function readConfig(config: ConfigReader): LlamaConfig {
  const type = config.string("model_type")
  const hiddenSize = config.integer("hidden_size")
  const heads = config.integer("num_attention_heads")
  // Where null stands, it is one for each head.
  const absent = config.record.num_key_value_heads === undefined
  const keyValueHeads = config.integer("num_key_value_heads", {
    default: absent ? KEY_VALUE_HEADS[type] ?? heads : heads,
  })
  if (heads % keyValueHeads !== 0) {
    throw config.error("num_key_value_heads", `a divisor of num_attention_heads ${heads}`)
  }
  if (!config.has("head_dim") && hiddenSize % heads !== 0) {
    throw config.error("num_attention_heads", `a divisor of hidden_size ${hiddenSize}`)
  }
  const headDim = config.integer("head_dim", { default: Math.floor(hiddenSize / heads) })
  if (headDim % 2 !== 0) {
    const message = `${config.file}: heads must have an even width for rotary positions, got ${headDim}`
    throw new JsonError({ reason: "Value", file: config.file, message })
  }
  const maxPositions = config.integer("max_position_embeddings", { default: MAX_POSITIONS[type] })
  const layers = config.integer("num_hidden_layers")
  checkWindow(config, type, layers, maxPositions)
  // Of Qwen2 this is fixed, whatever the file says.
  const attentionBias = type !== "mistral" && config.boolean("attention_bias", { default: false })
  const dropout = config.number("attention_dropout", { default: 0, min: 0 })
  return {
    vocabSize: config.integer("vocab_size"),
    hiddenSize,
    intermediateSize: config.integer("intermediate_size"),
    layers,
    heads,
    keyValueHeads,
    headDim,
    maxPositions,
    epsilon: config.number("rms_norm_eps", { default: 1e-6, min: 0 }),
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    queryBias: attentionBias || type === "qwen2",
    outputBias: attentionBias && type === "llama",
    feedForwardBias: type === "llama" && config.boolean("mlp_bias", { default: false }),
    tied: config.boolean("tie_word_embeddings", { default: false }),
    tokenDropout: config.number("classifier_dropout", {
      default: config.number("hidden_dropout", { default: 0.1, min: 0 }),
      min: 0,
    }),
    activation: ACTIVATIONS[config.string("hidden_act", { default: "silu", choices: Object.keys(ACTIVATIONS) })],
    rope: ropeOf(config, { headDim, maxPositions }),
    notes: dropout === 0 ? [] : [`attention_dropout ${dropout} of the config is not applied`],
  }
}

/** A sliding window that hides nothing within the model's positions is no window. */
function checkWindow(config: ConfigReader, type: string, layers: number, maxPositions: number): void {
  if (!slides(config, type, layers)) return
  if (config.record.sliding_window === null) return
  if (config.integer("sliding_window", { default: SLIDING_WINDOW }) >= maxPositions) return
  const wanted = `null or at least max_position_embeddings ${maxPositions}: windows are not known here`
  throw config.error("sliding_window", config.has("sliding_window") ? wanted : `${wanted} (${SLIDING_WINDOW} counts)`)
}

/** Whether a window counts in any layer. */
function slides(config: ConfigReader, type: string, layers: number): boolean {
  if (type === "mistral") return true
  if (type !== "qwen2" || !config.boolean("use_sliding_window", { default: false })) {
    // It plays no part, as in transformers.
    if (type === "qwen2") config.has("sliding_window")
    return false
  }
  const types = config.optional("layer_types", (name) => config.strings(name))
  if (types !== undefined) return types.some((type) => type !== "full_attention")
  return config.integer("max_window_layers", { default: MAX_WINDOW_LAYERS, min: 0 }) < layers
}
