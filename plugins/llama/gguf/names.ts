import type { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { readHeads, unused } from "../../../core/model/blocks/mod.ts"
import { permuteRows, type WeightMap } from "../../../core/weights/mod.ts"
import { TYPES } from "../config.ts"

/** Names of a layer's modules, in GGUF and here. */
const LAYER = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
} as const

/** Factors of rotary frequencies, which follow from the config. */
export const ROPE_FACTORS = "rope_freqs.weight"

/**
 * Names in GGUF files and here.
 *
 * @param rotatesPairs Whether the two halves of a head lie in turn in files: llama.cpp rotates neighbours for one kind of
 * model, halves for the others.
 */
export function namesIn(config: ConfigReader, rotatesPairs: boolean): WeightMap {
  const { heads, keyValueHeads, headDim } = readHeads(
    config,
    TYPES[config.string("model_type") as keyof typeof TYPES].heads,
  )
  const orders = rotatesPairs
    ? { attn_q: halvesFromPairs(heads, headDim), attn_k: halvesFromPairs(keyValueHeads, headDim) }
    : {}
  return [
    { stored: "token_embd.weight", names: "model.embed_tokens.weight" },
    { stored: "output_norm.weight", names: "model.norm.weight" },
    { stored: "output.weight", names: "lm_head.weight" },
    ...Object.entries(LAYER).map(([stored, name]) => {
      const order = Object.entries(orders).find(([one]) => one === stored)?.[1]
      const transform = order === undefined ? {} : { transform: permuteRows(order) }
      return { stored: `blk.*.${stored}.*`, names: `model.layers.*.${name}.*`, ...transform }
    }),
    ...unused(ROPE_FACTORS),
  ]
}

/** By row of a projection here, its row in a file. */
function halvesFromPairs(heads: number, headDim: number): ReadonlyArray<number> {
  const half = headDim / 2
  return Array.from({ length: heads * headDim }, (_, row) => {
    const within = row % headDim
    return row - within + 2 * (within % half) + Math.floor(within / half)
  })
}
