import { assertEquals, assertThrows } from "@std/assert"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { readDense, readGranite } from "../../../plugins/granite/config.ts"

const sizes = { vocab_size: 9, hidden_size: 16, intermediate_size: 8, num_hidden_layers: 2, num_attention_heads: 4 }
const reader = (own: Readonly<Record<string, unknown>>) => new ConfigReader("config.json", { ...sizes, ...own })

Deno.test("factors are 1 unless the config has others; logits are divided", () => {
  const factors = (own: Readonly<Record<string, unknown>>) => {
    const { embeddingScale, attentionScale, outputScale, logits } = readGranite(reader(own))
    return [embeddingScale, attentionScale, outputScale, logits?.scale]
  }
  assertEquals(factors({}), [1, 1, 1, 1])
  const own = { embedding_multiplier: 12, attention_multiplier: 0.1, residual_multiplier: 0.2, logits_scaling: 8 }
  assertEquals(factors(own), [12, 0.1, 0.2, 0.125])
  assertThrows(() => factors({ logits_scaling: 0 }), JsonError, "logits_scaling must be a number other than 0")
})

Deno.test("a hybrid without experts and state spaces is read; others are errors that name the field", () => {
  const dense = { layer_types: ["attention", "attention"], num_local_experts: 0, shared_intermediate_size: 24 }
  const read = (own: Readonly<Record<string, unknown>>) => readDense(reader({ ...dense, ...own }))
  assertEquals(read({}).intermediateSize, 24)
  assertEquals(read({}).layers.map(({ rope }) => rope), [undefined, undefined])
  assertEquals(read({ position_embedding_type: "rope" }).layers[1].rope?.frequencies.length, 2)
  assertEquals(read({ position_embedding_type: "nope" }).layers[1].rope, undefined)
  assertThrows(() => read({ layer_types: ["mamba", "attention"] }), JsonError, "layer_types must be")
  assertThrows(() => read({ layer_types: ["attention"] }), JsonError, "for each of 2 layers")
  assertThrows(() => read({ num_local_experts: 8 }), JsonError, "num_local_experts must be 0")
  assertThrows(() => read({ position_embedding_type: "alibi" }), JsonError, "position_embedding_type must be one of")
})
