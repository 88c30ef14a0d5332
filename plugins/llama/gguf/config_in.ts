import type { ConfigReader } from "../../../core/formats/json/model_config.ts"
import type { StoredTensor } from "../../../core/weights/mod.ts"
import { mustBe, tokensIn } from "../../gguf_fields/mod.ts"
import type { TYPES } from "../config.ts"
import { ROPE_FACTORS } from "./names.ts"
import { scalingOf } from "./rope_factors.ts"

type Json = Record<string, unknown>

/** The content of a `config.json` for a file's metadata and tensors. Throws JsonError. */
export async function configIn(
  architecture: keyof typeof TYPES,
  metadata: ConfigReader,
  tensors: ReadonlyMap<string, StoredTensor>,
): Promise<Json> {
  const key = (name: string) => `${architecture}.${name}`
  const integer = (name: string, otherwise?: number) =>
    metadata.integer(key(name), otherwise === undefined ? {} : { default: otherwise })
  const embedding = tensors.get("token_embd.weight")
  if (embedding === undefined) throw metadata.error("token_embd.weight", "a tensor of the file")
  const hidden = integer("embedding_length")
  const heads = integer("attention.head_count")
  const headDim = integer("attention.key_length", Math.floor(hidden / heads))
  const rows = embedding.shape[0]
  mustBe(metadata, key("attention.value_length"), headDim)
  mustBe(metadata, key("rope.dimension_count"), headDim)
  mustBe(metadata, key("vocab_size"), rows)
  for (const count of ["expert_count", "expert_used_count"]) mustBe(metadata, key(count), 0)
  const window = metadata.optional(key("attention.sliding_window"), (name) => metadata.integer(name, { min: 0 })) ?? 0
  const maxPositions = integer("context_length")
  const theta = metadata.number(key("rope.freq_base"), { default: 10000, min: 1 })
  const factors = await tensors.get(ROPE_FACTORS)?.read()
  const isBiased = (module: string) => tensors.has(`blk.0.${module}.bias`)
  return {
    model_type: window > 0 && architecture === "llama" ? "mistral" : architecture,
    vocab_size: rows,
    hidden_size: hidden,
    intermediate_size: integer("feed_forward_length"),
    num_hidden_layers: integer("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: integer("attention.head_count_kv", heads),
    head_dim: headDim,
    hidden_act: "silu",
    max_position_embeddings: maxPositions,
    rms_norm_eps: metadata.number(key("attention.layer_norm_rms_epsilon"), { min: 0 }),
    rope_theta: theta,
    rope_scaling: scalingOf(architecture, metadata, { theta, headDim, factors }),
    ...(window > 0 ? { sliding_window: window } : {}),
    ...(architecture === "qwen2" ? {} : { attention_bias: isBiased("attn_q") }),
    ...(architecture === "llama" && window === 0 ? { mlp_bias: isBiased("ffn_gate") } : {}),
    tie_word_embeddings: !tensors.has("output.weight"),
    ...tokensIn(metadata),
  }
}
