import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { load, saveGguf } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { dialect } from "../../../plugins/lfm2/gguf.ts"
import { logitsOff } from "../../support/gguf.ts"
import { fixture, run } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"

Deno.test("a GGUF file gives the logits of the model that it was made of, and so does one from here", async () => {
  const path = fixture("gguf/lfm2.gguf")
  const error = await logitsOff("lfm2", path)
  assert(error < 1e-4, `logits are off by ${error}`)
  await inDirectory(async (directory) => {
    const to = `${directory}/again.gguf`
    await run(Effect.flatMap(load(path, { task: Task.causalLM() }), (model) => saveGguf(model, to, { check: false })))
    const again = await logitsOff("lfm2", to)
    assert(again < 1e-4, `logits are off by ${again}`)
  })
})

Deno.test("what GGUF has no field for is an error that names the field", () => {
  const config = {
    model_type: "lfm2",
    vocab_size: 9,
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 3,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    layer_types: ["conv", "full_attention", "conv"],
    rope_theta: 5000,
  }
  const write = (own: object) => dialect.metadata(new ConfigReader("config.json", { ...config, ...own }))
  assertEquals(write({}).get("lfm2.rope.freq_base"), { type: "float32", value: 5000 })
  assertEquals(write({}).get("lfm2.attention.head_count_kv")?.value, { of: "int32", items: [0, 1, 0] })
  assertThrows(() => write({ conv_bias: true }), JsonError, "conv_bias")
  const scaled = { rope_parameters: { rope_type: "linear", factor: 2, rope_theta: 5000 } }
  assertThrows(() => write(scaled), JsonError, "rope_parameters")
})

Deno.test("heads of keys and values are one number for all layers of attention, or an error that names the field", () => {
  const record = {
    "lfm2.block_count": 3,
    "lfm2.embedding_length": 16,
    "lfm2.attention.head_count": 2,
    "lfm2.feed_forward_length": 8,
    "lfm2.shortconv.l_cache": 3,
    "lfm2.attention.layer_norm_rms_epsilon": 1e-5,
    "lfm2.context_length": 32,
  }
  const embedding = { name: "token_embd.weight", shape: [9, 16], dtype: "F32", read: () => Promise.reject() } as const
  const read = (counts: unknown) =>
    dialect.config(
      new ConfigReader("m.gguf", { ...record, "lfm2.attention.head_count_kv": counts }),
      new Map([[embedding.name, embedding]]),
    )
  for (const counts of [[0, 1], [1, 2, 0], "1", [0, 0, 0]]) {
    assertThrows(() => read(counts), JsonError, "lfm2.attention.head_count_kv")
  }
})
