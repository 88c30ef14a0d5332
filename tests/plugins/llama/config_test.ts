import { assertEquals, assertThrows } from "@std/assert"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { allOf } from "../../../core/graph/nodes.ts"
import type { Family } from "../../../core/model/load/families.ts"
import { baseKey, descendants } from "../../../core/model/module.ts"
import { makeScope } from "../../../core/model/sites/scope.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { tiesOf } from "../../../core/weights/weight_map.ts"
import { bert } from "../../../plugins/bert/mod.ts"
import { llama } from "../../../plugins/llama/mod.ts"

const sizes = { vocab_size: 9, hidden_size: 64, intermediate_size: 8, num_hidden_layers: 2, num_attention_heads: 32 }
const tokens = ops.full(0, [1, 3], "i32")
const batch = { tokens, lengths: ops.full(3, [1], "i32"), fields: {}, exampleWeight: ops.full(1, [1]), task: "" }

/** A network of a config as a language model, and what its graph and its modules tell of the config. */
function build(family: Family, config: Record<string, unknown>) {
  const head = { kind: "vocabulary", attention: family.attention } as const
  const network = family.build(new ConfigReader("config.json", config), head)
  const modules = descendants(network.root)
  const weights = new Map(
    modules.flatMap(({ path, parameters }) =>
      Object.entries(parameters).map(([name, { shape }]) => [baseKey(path, name), ops.full(1, shape)] as const)
    ),
  )
  const tensor = (key: string) => weights.get(key)!
  const scope = makeScope({ sitesAt: () => [], tensor, training: false, key: undefined, decoding: undefined })
  const nodes = allOf([network.forward(scope, batch).logits])
  const attributes = (operation: string, name: string) =>
    nodes.filter((node) => node.operation.name === operation).map((node) => node.attributes[name])
  const attentions = modules.filter(({ kind }) => kind === "Attention")
  return {
    maxPositions: network.maxPositions,
    tied: Object.keys(tiesOf(network.weights)).length > 0,
    epsilon: attributes("rmsNorm", "epsilon")[0],
    windows: attributes("attention", "window"),
    layers: attentions.length,
    sizes: attentions[0].sizes,
    biases: modules.filter(({ parameters }) => "bias" in parameters).map(({ path }) => path.replace(/^.*\./, "")),
  }
}
const read = (model_type: string, own: Record<string, unknown> = {}) => build(llama, { ...sizes, model_type, ...own })

Deno.test("what a file leaves out, and what is null, is as in transformers 4.57.6 and 5.24.0", () => {
  const defaults = { llama: [32, 2048], qwen2: [32, 32768], qwen3: [32, 32768], mistral: [8, 131072] } as const
  for (const [type, [keyValueHeads, maxPositions]] of Object.entries(defaults)) {
    const config = read(type, { sliding_window: null })
    assertEquals([config.sizes.keyValueHeads, config.maxPositions, config.epsilon, config.tied], [
      keyValueHeads,
      maxPositions,
      1e-6,
      false,
    ])
    assertEquals(config.sizes.headDim, type === "qwen3" ? 128 : 2)
    const nulls = { sliding_window: null, num_key_value_heads: null, ...type === "qwen3" ? {} : { head_dim: null } }
    assertEquals(read(type, nulls).sizes.keyValueHeads, 32)
  }
  const biases = (type: string, attention_bias: boolean) => [...new Set(read(type, { attention_bias }).biases)]
  assertEquals(biases("qwen2", false), ["q_proj", "k_proj", "v_proj"])
  assertEquals([...new Set(read("qwen2").biases)], ["q_proj", "k_proj", "v_proj"])
  assertEquals([biases("qwen3", true), biases("qwen3", false)], [["q_proj", "k_proj", "v_proj", "o_proj"], []])
  assertThrows(() => read("qwen3", { head_dim: null }), JsonError, "head_dim must be a positive integer, or left out")
  assertThrows(() => read("llama", { head_dim: 3 }), JsonError, "even width for rotary positions, got 3")
})

Deno.test("windows count where a layer has one, with the default of the model type", () => {
  const none = [undefined, undefined]
  assertEquals(read("mistral").windows, [4096, 4096])
  assertEquals(read("mistral", { sliding_window: 5 }).windows, [5, 5])
  assertEquals(read("mistral", { max_position_embeddings: 4096 }).windows, none)
  for (const type of ["qwen2", "qwen3"]) {
    const slides = { use_sliding_window: true, sliding_window: 16, max_position_embeddings: 64 }
    const windows = (own: Record<string, unknown>) => read(type, { ...slides, ...own }).windows
    assertEquals(windows({ max_window_layers: 1 }), [undefined, 16])
    assertEquals(windows({ layer_types: ["sliding_attention", "full_attention"] }), [16, undefined])
    for (const own of [{}, { max_window_layers: 2 }, { layer_types: ["full_attention", "full_attention"] }]) {
      assertEquals(windows(own), none)
    }
    assertEquals(windows({ max_window_layers: 0, sliding_window: 64 }), none)
    assertEquals(windows({ max_window_layers: 0, sliding_window: null }), none)
    assertEquals(windows({ max_window_layers: 0, use_sliding_window: false }), none)
    const types = (...layer_types: ReadonlyArray<string>) => () => windows({ layer_types })
    assertThrows(types("full_attention", "chunked_attention"), JsonError, "layer_types must be")
    assertThrows(types("full_attention"), JsonError, "for each of 2 layers")
    const unset = () => windows({ layer_types: ["full_attention", "sliding_attention"], sliding_window: null })
    assertThrows(unset, JsonError, "sliding_window must be a positive integer")
  }
})

Deno.test("DistilBERT's fields have two names each, as in transformers, which must agree", () => {
  const own = { model_type: "distilbert", vocab_size: 9, hidden_dim: 8, max_position_embeddings: 16 }
  const read = (more: Record<string, unknown>) => build(bert, { ...own, ...more })
  const plain = read({ dim: 8, n_heads: 2, n_layers: 3 })
  assertEquals([plain.sizes.hiddenSize, plain.sizes.heads, plain.layers], [8, 2, 3])
  const general = read({ hidden_size: 8, num_attention_heads: 2, num_hidden_layers: 3 })
  assertEquals([general.sizes.hiddenSize, general.sizes.heads, general.layers], [8, 2, 3])
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
