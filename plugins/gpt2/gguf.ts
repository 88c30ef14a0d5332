/**
 * GPT-2 in GGUF files, as llama.cpp writes them.
 * @module
 */
import type { GgufMetadata, GgufValue } from "../../core/formats/gguf/gguf_types.ts"
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import {
  type GgufDialect,
  type GgufTokenizers,
  type StoredTensor,
  transpose,
  type WeightMap,
} from "../../core/weights/mod.ts"
import { architectureFields, bytes, count, mustBe, real, tokensIn } from "../gguf_fields/mod.ts"
import { readConfig } from "./config.ts"

const key = (name: string) => `gpt2.${name}`

/** Names of a layer's norms, in GGUF and here. */
const NORMS = { attn_norm: "ln_1", ffn_norm: "ln_2" } as const
/** Those of its linear layers, whose weights Hugging Face's files hold with their axes swapped. */
const LINEAR = {
  attn_qkv: "attn.c_attn",
  attn_output: "attn.c_proj",
  ffn_up: "mlp.c_fc",
  ffn_down: "mlp.c_proj",
} as const

function configIn(
  metadata: ConfigReader,
  tensors: ReadonlyMap<string, StoredTensor>,
): Promise<Readonly<Record<string, unknown>>> {
  const integer = (name: string) => metadata.integer(key(name))
  const embedding = tensors.get("token_embd.weight")
  if (embedding === undefined) throw metadata.error("token_embd.weight", "a tensor of the file")
  const heads = integer("attention.head_count")
  mustBe(metadata, key("attention.head_count_kv"), heads)
  mustBe(metadata, key("vocab_size"), embedding.shape[0])
  return Promise.resolve({
    model_type: "gpt2",
    vocab_size: embedding.shape[0],
    n_embd: integer("embedding_length"),
    n_inner: integer("feed_forward_length"),
    n_layer: integer("block_count"),
    n_head: heads,
    n_positions: integer("context_length"),
    layer_norm_epsilon: metadata.number(key("attention.layer_norm_epsilon"), { min: 0 }),
    activation_function: "gelu_new",
    tie_word_embeddings: !tensors.has("output.weight"),
    ...tokensIn(metadata),
  })
}

function metadataOf(config: ConfigReader): GgufMetadata {
  const own = readConfig(config)
  config.string("activation_function", { default: "gelu_new", choices: ["gelu_new", "gelu_pytorch_tanh"] })
  if (!own.isScaled) throw config.error("scale_attn_weights", "true: GGUF files of GPT-2 have no other")
  if (own.isScaledByLayer) {
    throw config.error("scale_attn_by_inverse_layer_idx", "false: GGUF files of GPT-2 have no other")
  }
  const values: Readonly<Record<string, GgufValue>> = {
    block_count: count(own.layers),
    context_length: count(own.maxPositions),
    embedding_length: count(own.hiddenSize),
    feed_forward_length: count(own.intermediateSize),
    "attention.head_count": count(own.heads),
    "attention.layer_norm_epsilon": real(own.epsilon),
  }
  return architectureFields("gpt2", values)
}

function names(): WeightMap {
  return [
    { stored: "token_embd.weight", names: "transformer.wte.weight" },
    { stored: "position_embd.weight", names: "transformer.wpe.weight" },
    { stored: "output_norm.*", names: "transformer.ln_f.*" },
    { stored: "output.weight", names: "lm_head.weight" },
    ...Object.entries(NORMS).map(([stored, name]) => ({
      stored: `blk.*.${stored}.*`,
      names: `transformer.h.*.${name}.*`,
    })),
    ...Object.entries(LINEAR).flatMap(([stored, name]) => [
      { stored: `blk.*.${stored}.weight`, names: `transformer.h.*.${name}.weight`, transform: transpose },
      { stored: `blk.*.${stored}.bias`, names: `transformer.h.*.${name}.bias` },
    ]),
  ]
}

/** The dialect. */
export const dialect: GgufDialect = { config: configIn, metadata: metadataOf, weights: names }

/** Pairs of bytes, which llama.cpp names after this family. */
export const tokenizers: GgufTokenizers = {
  kinds: { gpt2: "bytes" },
  cuts: { "gpt-2": { parts: [bytes(true)] } },
}
