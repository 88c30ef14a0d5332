import { JsonError } from "../../core/formats/json_error.ts"
import type { ConfigReader } from "../../core/formats/model_config.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { type Frequencies, frequenciesOf } from "./rope.ts"

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
  /** Of the gate. */
  readonly activation: (x: Tensor) => Tensor
  /** Of rotary positions. */
  readonly frequencies: Frequencies
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

/** Reads a config with transformers' names and defaults. Throws {@link JsonError}. */
export function readConfig(config: ConfigReader): LlamaConfig {
  const type = config.string("model_type")
  const hiddenSize = config.integer("hidden_size")
  const heads = config.integer("num_attention_heads")
  const keyValueHeads = config.integer("num_key_value_heads", { default: type === "mistral" ? 8 : heads })
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
  const maxPositions = config.integer("max_position_embeddings")
  checkWindow(config, type, maxPositions)
  const attentionBias = type === "llama" && config.boolean("attention_bias", { default: false })
  const dropout = config.number("attention_dropout", { default: 0, min: 0 })
  return {
    vocabSize: config.integer("vocab_size"),
    hiddenSize,
    intermediateSize: config.integer("intermediate_size"),
    layers: config.integer("num_hidden_layers"),
    heads,
    keyValueHeads,
    headDim,
    maxPositions,
    epsilon: config.number("rms_norm_eps", { default: 1e-6, min: 0 }),
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    queryBias: attentionBias || type === "qwen2",
    outputBias: attentionBias,
    feedForwardBias: type === "llama" && config.boolean("mlp_bias", { default: false }),
    tied: config.boolean("tie_word_embeddings", { default: false }),
    activation: ACTIVATIONS[config.string("hidden_act", { default: "silu", choices: Object.keys(ACTIVATIONS) })],
    frequencies: frequenciesOf(config, headDim),
    notes: dropout === 0 ? [] : [`attention_dropout ${dropout} of the config is not applied`],
  }
}

/** A sliding window that hides nothing within the model's positions is no window. */
function checkWindow(config: ConfigReader, type: string, maxPositions: number): void {
  const on = type === "mistral" || (type === "qwen2" && config.boolean("use_sliding_window", { default: false }))
  if (!on || !config.has("sliding_window")) return
  if (config.integer("sliding_window") < maxPositions) {
    throw config.error(
      "sliding_window",
      `null or at least max_position_embeddings ${maxPositions}: windows are not known here`,
    )
  }
}
