/**
 * LFM2 in GGUF files, as llama.cpp writes them.
 * @module
 */
import type { GgufMetadata, GgufValue } from "../../core/formats/gguf/gguf_types.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import { ropeFrequencies } from "../../core/model/blocks/mod.ts"
import type {
  GgufDialect,
  GgufTokenizers,
  LazyTensor,
  StoredTensor,
  WeightMap,
  WeightTransform,
} from "../../core/weights/mod.ts"
import { architectureFields, count, mustBe, real, tokensIn, wordsOfBytes } from "../gguf_fields/mod.ts"
import { CONVOLUTION, DEFAULT_THETA, FULL, readConfig } from "./config.ts"

const key = (name: string) => `lfm2.${name}`

/** Names of a layer's modules, in GGUF and here; it has those of attention or those of a convolution. */
const LAYER = {
  attn_norm: "operator_norm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.out_proj",
  attn_q_norm: "self_attn.q_layernorm",
  attn_k_norm: "self_attn.k_layernorm",
  "shortconv.in_proj": "conv.in_proj",
  "shortconv.out_proj": "conv.out_proj",
  ffn_norm: "ffn_norm",
  ffn_gate: "feed_forward.w1",
  ffn_up: "feed_forward.w3",
  ffn_down: "feed_forward.w2",
} as const

/** Files hold [channels, kernel], the model [channels, 1, kernel]. */
const kernels: WeightTransform = {
  load: (stored) =>
    stored.map(({ name, shape: [channels, width], read }) => ({ name, shape: [channels, 1, width], read })),
  save: (own) =>
    own.map(({ name, shape: [channels, , width], read }): LazyTensor => ({ name, shape: [channels, width], read })),
}

/** Heads of keys and values by layer: none where it is a convolution. */
function keyValueHeads(metadata: ConfigReader, layers: number): ReadonlyArray<number> {
  const name = key("attention.head_count_kv")
  const counts = metadata.optional(name, (name) => metadata.record[name])
  const all = typeof counts === "number" ? Array.from({ length: layers }, () => counts) : counts
  const kinds = new Set(Array.isArray(all) ? all.filter((one) => one !== 0) : [])
  if (Array.isArray(all) && all.length === layers && kinds.size === 1) return all
  throw metadata.error(name, `a number for each of ${layers} layers: 0, or one that is the same for all others`)
}

function configIn(
  metadata: ConfigReader,
  tensors: ReadonlyMap<string, StoredTensor>,
): Promise<Readonly<Record<string, unknown>>> {
  const integer = (name: string) => metadata.integer(key(name))
  const embedding = tensors.get("token_embd.weight")
  if (embedding === undefined) throw metadata.error("token_embd.weight", "a tensor of the file")
  const [layers, hidden, heads] = ["block_count", "embedding_length", "attention.head_count"].map(integer)
  const counts = keyValueHeads(metadata, layers)
  for (const name of ["attention.key_length", "attention.value_length", "rope.dimension_count"]) {
    mustBe(metadata, key(name), hidden / heads)
  }
  mustBe(metadata, key("vocab_size"), embedding.shape[0])
  return Promise.resolve({
    model_type: "lfm2",
    vocab_size: embedding.shape[0],
    hidden_size: hidden,
    intermediate_size: integer("feed_forward_length"),
    block_auto_adjust_ff_dim: false,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: Math.max(...counts),
    layer_types: counts.map((count) => count === 0 ? CONVOLUTION : FULL),
    conv_L_cache: integer("shortconv.l_cache"),
    conv_bias: false,
    norm_eps: metadata.number(key("attention.layer_norm_rms_epsilon"), { min: 0 }),
    max_position_embeddings: integer("context_length"),
    rope_theta: metadata.number(key("rope.freq_base"), { default: 10000, min: 1 }),
    tie_word_embeddings: !tensors.has("output.weight"),
    ...tokensIn(metadata),
  })
}

/** The base of rotary positions, where a config may have it. */
function thetaOf({ record }: ConfigReader): number {
  const newer = record.rope_parameters as Readonly<Record<string, unknown>> | null | undefined
  return Number(newer?.rope_theta ?? record.rope_theta ?? record.theta ?? DEFAULT_THETA)
}

function metadataOf(config: ConfigReader): GgufMetadata {
  const own = readConfig(config)
  if (own.convolutionBias) throw config.error("conv_bias", "false: GGUF files of LFM2 have none")
  const theta = thetaOf(config), plain = ropeFrequencies(theta, own.headDim)
  if (!own.rope.frequencies.every((one, i) => one === plain[i])) {
    throw config.error("rope_parameters", "without a scaling: GGUF files of LFM2 have none")
  }
  const values: Readonly<Record<string, GgufValue>> = {
    block_count: count(own.layerTypes.length),
    context_length: count(own.maxPositions),
    embedding_length: count(own.hiddenSize),
    feed_forward_length: count(own.intermediateSize),
    vocab_size: count(own.vocabSize),
    "attention.head_count": count(own.heads),
    "attention.head_count_kv": {
      type: "array",
      value: { of: "int32", items: own.layerTypes.map((type) => type === CONVOLUTION ? 0 : own.keyValueHeads) },
    },
    "attention.layer_norm_rms_epsilon": real(own.epsilon),
    "shortconv.l_cache": count(own.kernel),
    "rope.freq_base": real(theta),
  }
  return architectureFields("lfm2", values)
}

function names(): WeightMap {
  return [
    { stored: "token_embd.weight", names: "model.embed_tokens.weight" },
    // llama.cpp calls it so, though it stands at the end.
    { stored: "token_embd_norm.weight", names: "model.embedding_norm.weight" },
    { stored: "output.weight", names: "lm_head.weight" },
    { stored: "blk.*.shortconv.conv.weight", names: "model.layers.*.conv.conv.weight", transform: kernels },
    ...Object.entries(LAYER).map(([stored, name]) => ({
      stored: `blk.*.${stored}.weight`,
      names: `model.layers.*.${name}.weight`,
    })),
  ]
}

/** The dialect. */
export const dialect: GgufDialect = { config: configIn, metadata: metadataOf, weights: names }

/** Pairs of bytes within words and groups of digits. */
export const tokenizers: GgufTokenizers = {
  kinds: { gpt2: "bytes" },
  cuts: { lfm2: { parts: wordsOfBytes("\\p{N}{1,3}"), wholeWords: true, addsBos: true } },
}
