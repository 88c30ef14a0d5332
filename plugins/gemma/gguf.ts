/**
 * Gemma 3 in GGUF files, as llama.cpp writes them.
 * @module
 */
import type { GgufMetadata, GgufValue } from "../../core/formats/gguf/gguf_types.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import {
  type GgufDialect,
  type GgufTokenizers,
  shifted,
  type StoredTensor,
  type WeightMap,
} from "../../core/weights/mod.ts"
import { ropeFrequencies } from "../../core/model/blocks/mod.ts"
import { architectureFields, count, mustBe, real, tokensIn } from "../gguf_fields/mod.ts"
import { FULL, readGemma3, SLIDING } from "./config.ts"

type Json = Readonly<Record<string, unknown>>

const key = (name: string) => `gemma3.${name}`

/** What llama.cpp has for all models: every so many layers a full one, and the positions of the others. */
const EVERY = 6, LOCAL_THETA = 10000
/** The number of layers of the one model (27B) whose scores have another factor. */
const LARGEST = 62
const scalarOf = ({ layers, hiddenSize, heads, headDim }: {
  readonly layers: number
  readonly hiddenSize: number
  readonly heads: number
  readonly headDim: number
}): number => layers === LARGEST ? hiddenSize / heads : headDim

/** Names of a layer's modules, in GGUF and here. */
const LAYER = {
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
} as const
/** Names of its norms. */
const NORMS = {
  attn_norm: "input_layernorm",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  post_attention_norm: "post_attention_layernorm",
  ffn_norm: "pre_feedforward_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
} as const

function configIn(metadata: ConfigReader, tensors: ReadonlyMap<string, StoredTensor>): Promise<Json> {
  const integer = (name: string) => metadata.integer(key(name))
  const embedding = tensors.get("token_embd.weight")
  if (embedding === undefined) throw metadata.error("token_embd.weight", "a tensor of the file")
  const [hidden, heads, headDim, layers] = [
    "embedding_length",
    "attention.head_count",
    "attention.key_length",
    "block_count",
  ]
    .map(integer)
  mustBe(metadata, key("attention.value_length"), headDim)
  mustBe(metadata, key("rope.dimension_count"), headDim)
  mustBe(metadata, key("vocab_size"), embedding.shape[0])
  mustBe(metadata, key("rope.freq_base_swa"), LOCAL_THETA)
  mustBe(metadata, key("attention.sliding_window_pattern"), EVERY)
  const kind = metadata.string(key("rope.scaling.type"), { default: "none", choices: ["none", "linear"] })
  const factor = metadata.number(key("rope.scaling.factor"), { default: 1, min: 1 })
  const cap = metadata.optional(key("final_logit_softcapping"), (name) => metadata.number(name, { min: 0 })) ?? 0
  return Promise.resolve({
    model_type: "gemma3_text",
    vocab_size: embedding.shape[0],
    hidden_size: hidden,
    intermediate_size: integer("feed_forward_length"),
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: integer("attention.head_count_kv"),
    head_dim: headDim,
    query_pre_attn_scalar: scalarOf({ layers, hiddenSize: hidden, heads, headDim }),
    hidden_activation: "gelu_pytorch_tanh",
    max_position_embeddings: integer("context_length"),
    rms_norm_eps: metadata.number(key("attention.layer_norm_rms_epsilon"), { min: 0 }),
    rope_theta: metadata.number(key("rope.freq_base"), { default: 1000000, min: 1 }),
    rope_local_base_freq: LOCAL_THETA,
    rope_scaling: kind === "none" || factor === 1 ? null : { rope_type: kind, factor },
    sliding_window: integer("attention.sliding_window"),
    layer_types: Array.from({ length: layers }, (_, i) => (i + 1) % EVERY === 0 ? FULL : SLIDING),
    final_logit_softcapping: cap === 0 ? null : cap,
    tie_word_embeddings: !tensors.has("output.weight"),
    ...tokensIn(metadata),
  })
}

/** Positions of full layers: their base, and the factor of a linear scaling. */
function positionsOf(config: ConfigReader): { readonly theta: number; readonly factor: number } {
  const { rope_parameters: newer, rope_scaling: older, rope_theta: top } = config.record as Readonly<
    Record<string, Json>
  >
  const fields = (newer?.[FULL] ?? older ?? {}) as Json
  const kind = fields.rope_type ?? fields.type ?? "default"
  if (kind !== "default" && kind !== "linear") {
    throw config.error(newer === undefined ? "rope_scaling" : "rope_parameters", "default or linear, for GGUF")
  }
  return { theta: Number(fields.rope_theta ?? top ?? 1000000), factor: kind === "linear" ? Number(fields.factor) : 1 }
}

function metadataOf(config: ConfigReader): GgufMetadata {
  const own = readGemma3(config)
  const { layers, headDim } = own
  const must = (field: string, holds: boolean, wanted: string) => {
    if (!holds) throw config.error(field, `${wanted}: GGUF files of Gemma 3 have no other`)
  }
  const [window, local] = [
    layers.find(({ window }) => window !== undefined)?.window,
    ropeFrequencies(LOCAL_THETA, headDim),
  ]
  const isFull = (i: number) => (i + 1) % EVERY === 0
  must(
    "layer_types",
    layers.every((layer, i) => (layer.window === undefined) === isFull(i)),
    `every ${EVERY}th layer full`,
  )
  must("use_bidirectional_attention", own.causal !== false, "false")
  must("attention_bias", !own.bias, "false")
  must("hidden_activation", config.record.hidden_activation !== "gelu", '"gelu_pytorch_tanh"')
  const scale = 1 / Math.sqrt(scalarOf({ ...own, layers: layers.length }))
  must("query_pre_attn_scalar", Math.abs(own.attentionScale! / scale - 1) < 1e-9, "head_dim")
  const isLocal = layers.every(({ rope }, i) => isFull(i) || rope!.frequencies.every((one, j) => one === local[j]))
  must("rope_local_base_freq", isLocal, `${LOCAL_THETA}`)
  const { theta, factor } = positionsOf(config)
  const values: Readonly<Record<string, GgufValue>> = {
    block_count: count(layers.length),
    context_length: count(own.maxPositions),
    embedding_length: count(own.hiddenSize),
    feed_forward_length: count(own.intermediateSize),
    "attention.head_count": count(own.heads),
    "attention.head_count_kv": count(own.keyValueHeads),
    "attention.key_length": count(headDim),
    "attention.value_length": count(headDim),
    "attention.layer_norm_rms_epsilon": real(own.epsilon),
    "attention.sliding_window": count(window!),
    "rope.freq_base": real(theta),
    ...(factor === 1 ? {} : {
      "rope.scaling.type": { type: "string", value: "linear" } as const,
      "rope.scaling.factor": real(factor),
    }),
    ...(own.logits?.softCap === undefined ? {} : { final_logit_softcapping: real(own.logits.softCap) }),
  }
  return architectureFields("gemma3", values)
}

function names(): WeightMap {
  // Norms hold what is multiplied: 1 more than the weight.
  const norm = { transform: shifted(-1) }
  return [
    { stored: "token_embd.weight", names: "model.embed_tokens.weight" },
    { stored: "output_norm.weight", names: "model.norm.weight", ...norm },
    { stored: "output.weight", names: "lm_head.weight" },
    ...Object.entries(NORMS).map(([stored, name]) => ({
      stored: `blk.*.${stored}.weight`,
      names: `model.layers.*.${name}.weight`,
      ...norm,
    })),
    ...Object.entries(LAYER).map(([stored, name]) => ({
      stored: `blk.*.${stored}.weight`,
      names: `model.layers.*.${name}.weight`,
    })),
  ]
}

/** The dialect. */
export const dialect: GgufDialect = { config: configIn, metadata: metadataOf, weights: names }

/** SentencePiece's pieces, which llama.cpp calls so. */
export const tokenizers: GgufTokenizers = { kinds: { llama: "pieces" }, cuts: {} }
