import { assertEquals, assertThrows } from "@std/assert"
import { checkFields } from "../../../core/formats/json/config_fields.ts"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { ropeFrequencies } from "../../../core/model/blocks/mod.ts"
import { descendants } from "../../../core/model/module.ts"
import { tiesOf } from "../../../core/weights/weight_map.ts"
import { readConfig } from "../../../plugins/lfm2/config.ts"
import { lfm2 } from "../../../plugins/lfm2/mod.ts"

const sizes = { model_type: "lfm2", vocab_size: 9, hidden_size: 64, num_hidden_layers: 3, num_attention_heads: 8 }

/** A config, read; all fields must be known. */
function read(own: Record<string, unknown> = {}) {
  const reader = new ConfigReader("config.json", { ...sizes, ...own })
  const network = lfm2.build(reader, { kind: "vocabulary", attention: "causal" })
  assertEquals(checkFields(reader, lfm2.fields), [])
  return { ...readConfig(reader), network }
}
const refused = (own: Record<string, unknown>, message: string) => assertThrows(() => read(own), JsonError, message)

Deno.test("lfm2: what a file leaves out is as in transformers", () => {
  const config = read()
  assertEquals(config.layerTypes, Array(3).fill("full_attention"))
  assertEquals([config.keyValueHeads, config.headDim, config.maxPositions, config.kernel], [8, 8, 128000, 3])
  assertEquals(config.rope.frequencies, ropeFrequencies(1000000, 8))
  assertEquals(tiesOf(config.network.weights), { "lm_head.weight": "model.embed_tokens.weight" })
  assertEquals(config.intermediateSize, 8192)
})

Deno.test("lfm2: the width of the feed-forward is computed as in transformers", () => {
  const width = (own: Record<string, unknown>) =>
    read({ intermediate_size: 100, block_multiple_of: 16, ...own }).intermediateSize
  assertEquals(width({}), 80)
  assertEquals(width({ block_ffn_dim_multiplier: 1.5 }), 112)
  assertEquals(width({ block_ffn_dim_multiplier: null }), 66)
  assertEquals(width({ block_auto_adjust_ff_dim: false }), 100)
  assertEquals(width({ block_ff_dim: 100 }), 80)
  refused({ intermediate_size: 100, block_ff_dim: 64 }, "intermediate_size must be what block_ff_dim is, 64")
})

Deno.test("lfm2: layers are named by type, or by the places of attention", () => {
  const types = (own: Record<string, unknown>) => read(own).layerTypes
  assertEquals(types({ full_attn_idxs: [1] }), ["conv", "full_attention", "conv"])
  const mixed = ["conv", "conv", "full_attention"]
  assertEquals(types({ layer_types: mixed, full_attn_idxs: null }), mixed)
  assertEquals(types({ layer_types: mixed, full_attn_idxs: [2] }), mixed)
  const modules = descendants(read({ layer_types: mixed }).network.root).map(({ path }) => path)
  assertEquals(modules.filter((path) => path.endsWith(".conv.conv") || path.endsWith("self_attn")), [
    "model.layers.0.conv.conv",
    "model.layers.1.conv.conv",
    "model.layers.2.self_attn",
  ])
  refused(
    { layer_types: mixed, full_attn_idxs: [1] },
    'full_attn_idxs must be the layers that layer_types calls "full_attention"',
  )
  refused({ full_attn_idxs: [3] }, "full_attn_idxs must be a list of layers from 0 to 2")
  refused(
    { layer_types: ["conv", "conv", "sliding_attention"] },
    'layer_types must be "full_attention" or "conv" for each of 3',
  )
  refused({ layer_types: ["conv", "conv", "conv"] }, 'layer_types must be "full_attention" for one layer at least')
})

Deno.test("lfm2: the first files' names count, and must not say otherwise", () => {
  const first = read({
    block_dim: 64,
    block_ff_dim: 96,
    block_mlp_init_scale: 1,
    block_norm_eps: 1e-5,
    block_out_init_scale: 1,
    block_use_swiglu: true,
    block_use_xavier_init: true,
    conv_dim: 64,
    conv_dim_out: 64,
    conv_use_xavier_init: true,
    num_heads: 8,
    theta: 500,
    rope_theta: 500,
    tie_embedding: false,
    use_pos_enc: true,
  })
  assertEquals(first.rope.frequencies, ropeFrequencies(500, 8))
  assertEquals(tiesOf(first.network.weights), {})
  assertEquals(read({ theta: 500 }).rope.frequencies, first.rope.frequencies)
  refused({ conv_dim: 32 }, "conv_dim must be what hidden_size is, 64, or left out")
  refused({ block_norm_eps: 1e-6 }, "block_norm_eps must be what norm_eps is")
  refused({ theta: 500, rope_theta: 600 }, "theta must be what rope_theta is, 600, or left out")
  refused(
    { theta: 500, rope_parameters: { rope_type: "default", rope_theta: 600 } },
    "theta must be what rope_theta is",
  )
  refused({ tie_embedding: true, tie_word_embeddings: false }, "tie_word_embeddings must be what tie_embedding is")
  refused({ use_pos_enc: false }, "use_pos_enc must be")
  refused({ hidden_act: "gelu" }, "hidden_act must be")
  refused({ sliding_window: 8 }, "sliding_window must be")
})
