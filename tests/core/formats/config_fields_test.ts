import { assertEquals, assertThrows } from "@std/assert"
import { checkFields } from "../../../core/formats/json/config_fields.ts"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"

const check = (record: Record<string, unknown>, fields?: Parameters<typeof checkFields>[1]) => {
  const config = new ConfigReader("config.json", record)
  config.string("hidden_act", { default: "silu" })
  config.integer("intermediate_size", { default: 8 })
  return checkFields(config, fields)
}

Deno.test("what transformers writes beside the mathematics passes in silence", () => {
  // Left over from other classes and versions, with values that are not their defaults.
  assertEquals(
    check({
      _name_or_path: "x",
      _attn_implementation_autoset: true,
      architectures: ["XForY"],
      bos_token_id: 3,
      chunk_size_feed_forward: 4,
      dtype: "bfloat16",
      torch_dtype: "float16",
      do_sample: true,
      encoder_no_repeat_ngram_size: 2,
      exponential_decay_length_penalty: [1, 2],
      finetuning_task: "mrpc",
      gradient_checkpointing: true,
      id2label: { 0: "a" },
      max_length: 50,
      num_beams: 4,
      output_attentions: true,
      output_past: true,
      prefix: "x",
      pretraining_tp: 2,
      return_dict_in_generate: true,
      task_specific_params: { a: 1 },
      tf_legacy_loss: true,
      transformers_version: "5.24.0",
      use_cache: false,
      // As models lie on the hub.
      auto_map: { AutoConfig: "x.C" },
      eos_token_ids: [0],
      model_max_length: 512,
      num_logits_to_keep: 0,
      sentence_transformers: { version: "4.1.0" },
      tokenizer_padding_side: "right",
      "transformers.js_config": { dtype: "q4" },
      unsloth_fixed: true,
      unsloth_version: "2025.1.5",
      xla_device: true,
    }),
    [],
  )
  // Fields that matter, with the values that change nothing.
  assertEquals(
    check({
      attn_logit_softcapping: null,
      final_logit_softcapping: null,
      layer_types: ["full_attention", "full_attention"],
      logits_scaling: 1.0,
      no_rope_layers: [1, 1],
      pruned_heads: {},
      qk_norm: false,
      rope_interleaved: false,
      use_bidirectional_attention: false,
      num_experts: null,
      is_encoder_decoder: false,
      sliding_window: null,
    }),
    [],
  )
})

Deno.test("a field that changes the mathematics is an error that names it", () => {
  const cases: ReadonlyArray<readonly [string, unknown]> = [
    ["attn_logit_softcapping", 50],
    ["final_logit_softcapping", 30],
    ["layer_types", ["full_attention", "sliding_attention"]],
    ["sliding_window", 128],
    ["use_sliding_window", true],
    ["embedding_multiplier", 12],
    ["residual_multiplier", 0.22],
    ["attention_multiplier", 0.0078125],
    ["logits_scaling", 8],
    ["logit_scale", 0.0625],
    ["scale_emb", 12],
    ["query_pre_attn_scalar", 256],
    ["partial_rotary_factor", 0.4],
    ["rotary_pct", 0.25],
    ["no_rope_layers", [1, 0]],
    ["rope_local_base_freq", 10000],
    ["use_bidirectional_attention", true],
    ["use_qk_norm", true],
    ["qk_layernorm", true],
    ["clip_qkv", 8],
    ["num_experts", 8],
    ["num_local_experts", 4],
    ["moe_intermediate_size", 64],
    ["alibi", true],
    ["attention_bias", true],
    ["mlp_bias", true],
    ["add_cross_attention", true],
    ["is_encoder_decoder", true],
    ["pruned_heads", { 0: [1] }],
    ["position_embedding_type", "relative_key"],
    ["attention_chunk_size", 8192],
    ["attention_sink_size", 4],
    ["text_config", { hidden_size: 3 }],
    ["per_layer_config", { 0: { num_attention_heads: 2 } }],
  ]
  for (const [name, value] of cases) {
    const error = assertThrows(() => check({ [name]: value }), JsonError, `config.json: ${name} must be left out`)
    assertEquals(error.reason, "Value")
  }
})

Deno.test("any other field is told, with the known one that may have been meant", () => {
  assertEquals(check({ colour: "red", hidden_acts: "gelu", intermedate_size: 9, nothing: null, empty: [] }), [
    "config.json: not known, so without any part in it: colour, hidden_acts (is hidden_act meant?), " +
    "intermedate_size (is intermediate_size meant?)",
  ])
})

Deno.test("null where a default is taken is told, but where null is usual", () => {
  const config = new ConfigReader("config.json", { hidden_act: null, head_dim: null, intermediate_size: 3 })
  config.string("hidden_act", { default: "silu" })
  config.integer("head_dim", { default: 8 })
  config.integer("intermediate_size", { default: 8 })
  assertEquals(checkFields(config), ["config.json: null counts as not given, so a default is taken: hidden_act"])
})

Deno.test("a family says what plays no part, and which values of a field change nothing", () => {
  const fields = { harmless: ["colour", "use_qk_norm"], neutral: { is_causal: [true], max_length: [20] } }
  assertEquals(check({ colour: "red", use_qk_norm: true, is_causal: true }, fields), [])
  assertThrows(() => check({ is_causal: false }, fields), JsonError, "is_causal must be left out or null or true")
  assertThrows(() => check({ max_length: 30 }, fields), JsonError, "max_length")
})
