import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { load, saveGguf } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { dialect } from "../../../plugins/gemma/gguf.ts"
import { outputsOf } from "../../support/directory.ts"
import { distance, fixture, run } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"

const { tokens, every, logits }: { readonly tokens: number[]; readonly every: number; readonly logits: number[] } = JSON
  .parse(Deno.readTextFileSync(fixture("gguf/gemma3.json")))
const errorOf = async (path: string) => {
  const found = await outputsOf(path, Task.causalLM(), tokens)
  return distance(Array.from(found.logits).filter((_, i) => i % every === 0), logits)
}

Deno.test("a GGUF file gives the logits of the model that it was made of, and so does one from here", async () => {
  const path = fixture("gguf/gemma3.gguf")
  const error = await errorOf(path)
  assert(error < 1e-4, `logits are off by ${error}`)
  await inDirectory(async (directory) => {
    const to = `${directory}/again.gguf`
    await run(Effect.flatMap(load(path, { task: Task.causalLM() }), (model) => saveGguf(model, to, { check: false })))
    const again = await errorOf(to)
    assert(again < 1e-4, `logits are off by ${again}`)
  })
})

Deno.test("what GGUF has no field for is an error that names the field", () => {
  const config = {
    model_type: "gemma3_text",
    vocab_size: 9,
    hidden_size: 16,
    intermediate_size: 8,
    num_hidden_layers: 6,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 8,
    query_pre_attn_scalar: 8,
    sliding_window: 4,
  }
  const write = (own: object) => dialect.metadata(new ConfigReader("config.json", { ...config, ...own }))
  assertEquals(write({}).get("gemma3.attention.sliding_window"), { type: "uint32", value: 4 })
  for (
    const own of [
      { layer_types: Array(6).fill("sliding_attention") },
      { rope_local_base_freq: 500 },
      { query_pre_attn_scalar: 12 },
      { use_bidirectional_attention: true },
      { attention_bias: true },
    ]
  ) {
    assertThrows(() => write(own), JsonError, Object.keys(own)[0])
  }
  assertThrows(() => write({ rope_scaling: { rope_type: "dynamic", factor: 2 } }), JsonError, "default or linear")
})
