import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { checkFields } from "../../../core/formats/json/config_fields.ts"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { ropeFrequencies } from "../../../core/model/blocks/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { initialize } from "../../../core/model/mod.ts"
import { readGemma2, readGemma3, readVaultGemma } from "../../../plugins/gemma/config.ts"
import { gemma2, gemma3 } from "../../../plugins/gemma/mod.ts"
import { failure } from "../../support/model_layer.ts"

type Json = Readonly<Record<string, unknown>>

const sizes = { vocab_size: 9, hidden_size: 16, intermediate_size: 8, num_hidden_layers: 7, num_attention_heads: 4 }
const reader = (own: Json) => new ConfigReader("config.json", { ...sizes, ...own })
const FULL = "full_attention", SLIDING = "sliding_attention"

Deno.test("what a file leaves out is as in transformers 4.57.6 and 5.24.0", () => {
  const own = readGemma3(reader({}))
  assertEquals([own.keyValueHeads, own.headDim, own.maxPositions, own.isTied, own.causal], [4, 256, 131072, true, true])
  assertEquals([own.embeddingScale, own.attentionScale, own.normOffset], [4, 1 / 16, 1])
  assertEquals(own.layers.map(({ window }) => window), [4096, 4096, 4096, 4096, 4096, undefined, 4096])
  assertEquals(own.layers[5].rope, { frequencies: ropeFrequencies(1e6, 256), scale: 1 })
  assertEquals(own.layers[6].rope, { frequencies: ropeFrequencies(1e4, 256), scale: 1 })
  assertEquals([own.attentionSoftCap, own.logits?.softCap], [undefined, undefined])
  for (const older of [readGemma2(reader({})), readVaultGemma(reader({}))]) {
    const { layers, maxPositions, attentionSoftCap, logits } = older
    assertEquals(layers.map(({ window }) => window === undefined), [false, true, false, true, false, true, false])
    assertEquals([maxPositions, attentionSoftCap, logits?.softCap], [8192, 50, 30])
  }
  assertEquals(readGemma2(reader({ attn_logit_softcapping: null })).attentionSoftCap, undefined)
})

Deno.test("types of layers, windows and positions are as the config says, older and newer", () => {
  const types = { num_hidden_layers: 2, layer_types: [FULL, SLIDING], head_dim: 4 }
  const rope = (theta: number, factor = 1) => ropeFrequencies(theta, 4).map((one) => one / factor)
  const read = (own: Json) => readGemma3(reader({ ...types, ...own })).layers.map(({ rope }) => rope?.frequencies)
  const older = { rope_theta: 500, rope_local_base_freq: 50, rope_scaling: { rope_type: "linear", factor: 8 } }
  assertEquals(read(older), [rope(500, 8), rope(50)])
  const newer = {
    [FULL]: { rope_type: "linear", rope_theta: 500, factor: 8 },
    [SLIDING]: { rope_type: "default", rope_theta: 50 },
  }
  assertEquals(read({ rope_parameters: newer }), [rope(500, 8), rope(50)])
  assertEquals(read({ ...older, rope_parameters: newer }), [rope(500, 8), rope(50)])
  assertEquals(read({ rope_parameters: { [SLIDING]: null } }), [rope(1e6), rope(1e4)])
  const refused = (own: Json, message: string) => assertThrows(() => read(own), JsonError, message)
  refused({ rope_theta: 400, rope_parameters: newer }, "rope_parameters must be what rope_theta says too")
  refused({ rope_parameters: { rope_type: "default", rope_theta: 5 } }, "rope_type must be left out")
  refused({ rope_local_base_freq: 0 }, "rope_local_base_freq must be greater than 0")
  refused({ layer_types: [FULL, "chunked_attention"] }, "layer_types must be")
  refused({ layer_types: [FULL] }, "for each of 2 layers")
  refused({ sliding_window: null }, "sliding_window must be a positive integer")
  refused({ query_pre_attn_scalar: 0 }, "query_pre_attn_scalar must be greater than 0")
  refused({ final_logit_softcapping: -1 }, "final_logit_softcapping must be greater than 0, or null")
  const pattern = readGemma3(reader({ sliding_window_pattern: 3, sliding_window: 6 }))
  assertEquals(pattern.layers.map(({ window }) => window), [6, 6, undefined, 6, 6, undefined, 6])
})

Deno.test("with attention to both sides a window is of both, and there is no causal language model", async () => {
  const both = { use_bidirectional_attention: true, sliding_window: 6, num_hidden_layers: 1 }
  const own = readGemma3(reader(both))
  assertEquals([own.causal, own.layers[0].window], [false, 4])
  const config = { ...sizes, ...both, model_type: "gemma3_text", head_dim: 4 }
  const error = await failure(initialize(config, { task: Task.causalLM() }))
  assertEquals(error._tag, "JsonError")
  assertEquals(
    error.message,
    "config: use_bidirectional_attention must be false, or left out, for a causal language model, got true",
  )
})

Deno.test("a field that changes what a model computes is read, or an error that names it", () => {
  const refused = (own: Json, family: typeof gemma3, name: string) => {
    const config = reader({ head_dim: 4, ...own })
    family.build(config, { kind: "sequence", size: 2 })
    assertThrows(() => checkFields(config, family.fields), JsonError, name)
  }
  refused({ attn_logit_softcapping: 50 }, gemma3, "attn_logit_softcapping")
  refused({ use_bidirectional_attention: true }, gemma2, "use_bidirectional_attention")
  refused({ sliding_window_pattern: 3 }, gemma2, "sliding_window_pattern")
  refused({ hidden_act: "silu" }, gemma2, "hidden_act")
  refused({ hidden_size_per_layer_input: 8, num_experts: 2 }, gemma3, "num_experts")
})

Deno.test("a model with images is refused by its type", async () => {
  const config = { model_type: "gemma3", text_config: { ...sizes, model_type: "gemma3_text" }, vision_config: {} }
  const { message } = await failure(initialize(config, { task: Task.causalLM() }))
  assertStringIncludes(message, 'model_type must be "gemma3_text": images are not known here')
})

Deno.test("transformers has no classes of words in Gemma 3", async () => {
  const config = { ...sizes, model_type: "gemma3_text", head_dim: 4 }
  const error = await failure(initialize(config, { task: Task.tokenClassification(["a", "b"]) }))
  assertEquals(error._tag, "ModelError")
  assertEquals(error.message, 'config: a model of type "gemma3_text" has no head for token-classification')
})
