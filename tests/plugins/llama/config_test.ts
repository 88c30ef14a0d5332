import { assertEquals, assertThrows } from "@std/assert"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { readDistilBertConfig } from "../../../plugins/bert/config.ts"
import { readConfig } from "../../../plugins/llama/config.ts"

const sizes = { vocab_size: 9, hidden_size: 64, intermediate_size: 8, num_hidden_layers: 2, num_attention_heads: 32 }
const read = (model_type: string, own: Record<string, unknown> = {}) =>
  readConfig(new ConfigReader("config.json", { ...sizes, model_type, ...own }))

Deno.test("what a file leaves out, and what is null, is as in transformers 4.57.6 and 5.24.0", () => {
  const defaults = { llama: [32, 2048], qwen2: [32, 32768], mistral: [8, 131072] } as const
  for (const [type, [keyValueHeads, maxPositions]] of Object.entries(defaults)) {
    const config = read(type, { sliding_window: null })
    assertEquals([config.keyValueHeads, config.maxPositions, config.epsilon, config.tied], [
      keyValueHeads,
      maxPositions,
      1e-6,
      false,
    ])
    assertEquals(read(type, { sliding_window: null, num_key_value_heads: null, head_dim: null }).keyValueHeads, 32)
  }
  assertEquals([read("qwen2", { attention_bias: false }).queryBias, read("qwen2").outputBias], [true, false])
})

Deno.test("windows count where a layer has one, with the default of the model type", () => {
  assertThrows(
    () => read("mistral"),
    JsonError,
    "sliding_window must be null or at least max_position_embeddings 131072",
  )
  assertEquals(read("mistral", { max_position_embeddings: 4096 }).maxPositions, 4096)
  const slides = { use_sliding_window: true, sliding_window: 16, max_position_embeddings: 64 }
  assertThrows(() => read("qwen2", { ...slides, max_window_layers: 1 }), JsonError, "sliding_window")
  assertThrows(
    () => read("qwen2", { ...slides, layer_types: ["full_attention", "sliding_attention"] }),
    JsonError,
    "sliding",
  )
  for (const own of [{}, { max_window_layers: 2 }, { layer_types: ["full_attention", "full_attention"] }]) {
    assertEquals(read("qwen2", { ...slides, ...own }).maxPositions, 64)
  }
  assertEquals(read("qwen2", { ...slides, max_window_layers: 0, sliding_window: 64 }).maxPositions, 64)
})

Deno.test("DistilBERT's fields have two names each, as in transformers, which must agree", () => {
  const own = { vocab_size: 9, hidden_dim: 8, max_position_embeddings: 16 }
  const read = (more: Record<string, unknown>) =>
    readDistilBertConfig(new ConfigReader("config.json", { ...own, ...more }))
  const plain = read({ dim: 8, n_heads: 2, n_layers: 3 })
  assertEquals([plain.hiddenSize, plain.heads, plain.layers], [8, 2, 3])
  const general = read({ hidden_size: 8, num_attention_heads: 2, num_hidden_layers: 3 })
  assertEquals([general.hiddenSize, general.heads, general.layers], [8, 2, 3])
  assertThrows(
    () => read({ dim: 8, hidden_size: 16, n_heads: 2, n_layers: 3 }),
    JsonError,
    "hidden_size must be what dim is, 8",
  )
  assertThrows(
    () => read({ dim: 8, n_heads: 2, n_layers: 3, tie_word_embeddings: null }),
    JsonError,
    "true or false, got null",
  )
})
