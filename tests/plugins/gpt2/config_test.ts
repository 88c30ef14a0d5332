import { assert, assertEquals, assertThrows } from "@std/assert"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { checkFields } from "../../../core/formats/json/config_fields.ts"
import { descendants, type ModuleNode } from "../../../core/model/module.ts"
import { tiesOf } from "../../../core/weights/weight_map.ts"
import { gpt2 } from "../../../plugins/gpt2/mod.ts"

const sizes = { model_type: "gpt2", vocab_size: 9, n_embd: 8, n_layer: 1, n_head: 2 }

/** The network of a config; all fields must be known. */
function build(config: Record<string, unknown>) {
  const reader = new ConfigReader("config.json", config)
  const network = gpt2.build(reader, { kind: "vocabulary", attention: "causal" })
  assertEquals(checkFields(reader, gpt2.fields), [])
  return network
}
const at = (root: ModuleNode, path: string) => descendants(root).find((module) => module.path === path)!

Deno.test("gpt2: what a file leaves out is as in transformers", () => {
  const { root, maxPositions, weights } = build({ ...sizes, n_inner: null })
  assertEquals([maxPositions, tiesOf(weights)["lm_head.weight"]], [1024, "transformer.wte.weight"])
  assertEquals(at(root, "transformer.h.0.mlp.c_fc").sizes, { inFeatures: 8, outFeatures: 32 })
  assertEquals(at(root, "transformer.h.0.attn.c_attn").sizes, { inFeatures: 8, outFeatures: 24 })
  assertEquals(tiesOf(build({ ...sizes, tie_word_embeddings: false }).weights), {})
})

Deno.test("gpt2: the ends of the parts start smaller, as in transformers", () => {
  const { root } = build({ ...sizes, n_layer: 8, initializer_range: 0.4 })
  for (const name of ["attn.c_proj", "mlp.c_proj"]) {
    assertEquals(at(root, `transformer.h.3.${name}`).parameters.weight.initializer, { kind: "normal", std: 0.1 })
  }
  assertEquals(at(root, "transformer.h.3.mlp.c_fc").parameters.weight.initializer, { kind: "normal", std: 0.4 })
})

Deno.test("gpt2: fields have two names each, which must agree; what changes a model is refused by name", () => {
  const general = build({
    model_type: "gpt2",
    vocab_size: 9,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: 32,
    n_ctx: 32,
  })
  assertEquals(general.maxPositions, 32)
  const refused = (own: Record<string, unknown>, message: string) =>
    assertThrows(() => build({ ...sizes, ...own }), JsonError, message)
  refused({ hidden_size: 16 }, "hidden_size must be what n_embd is, 8")
  refused({ n_ctx: 512 }, "n_ctx must be what n_positions is, 1024, or left out")
  refused({ n_head: 3 }, "n_head must be a divisor of n_embd 8")
  refused({ add_cross_attention: true }, "add_cross_attention must be left out or null or false")
  refused({ activation_function: "tanhshrink" }, "activation_function must be one of")
  assert(build({ ...sizes, reorder_and_upcast_attn: true, summary_type: "cls_index", add_cross_attention: false }))
})
