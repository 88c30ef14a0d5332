import { assertEquals, assertThrows } from "@std/assert"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { readConfig } from "../../../plugins/smollm3/config.ts"

const sizes = { vocab_size: 9, hidden_size: 16, intermediate_size: 8, num_hidden_layers: 4, num_attention_heads: 4 }
const read = (own: Readonly<Record<string, unknown>> = {}) => {
  const { layers, ...config } = readConfig(new ConfigReader("config.json", { ...sizes, ...own }))
  return {
    ...config,
    rotates: layers.map(({ rope }) => rope !== undefined),
    windows: layers.map(({ window }) => window),
  }
}

Deno.test("every fourth layer has no rotary positions, or those that the config names", () => {
  assertEquals(read().rotates, [true, true, true, false])
  assertEquals(read({ no_rope_layer_interval: 2 }).rotates, [true, false, true, false])
  assertEquals(read({ no_rope_layers: [0, 1, 1, 0, 1] }).rotates, [false, true, true, false])
  assertEquals([read().keyValueHeads, read().isTied, read().maxPositions], [4, true, 32768])
  for (const no_rope_layers of [[1, 1, 1], [1, 1, 1, 2], "all"]) {
    assertThrows(() => read({ no_rope_layers }), JsonError, "no_rope_layers must be 1 (rotary positions) or 0 (none)")
  }
})

Deno.test("windows are of the layers without rotary positions, or as layer_types says", () => {
  const none = [undefined, undefined, undefined, undefined]
  assertEquals(read({ sliding_window: 8 }).windows, none)
  const slides = { use_sliding_window: true, sliding_window: 8 }
  assertEquals(read(slides).windows, [undefined, undefined, undefined, 8])
  assertEquals(read({ use_sliding_window: true, sliding_window: null }).windows, none)
  const layer_types = ["sliding_attention", "full_attention", "full_attention", "full_attention"]
  assertEquals(read({ ...slides, layer_types }).windows, [8, undefined, undefined, undefined])
})
