import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import { classesOf, type DecoderConfig, readDecoder } from "../decoder/mod.ts"
import { ropeOf } from "../rotary/mod.ts"

/** Which layers have rotary positions: `no_rope_layers` holds 1 for those that do. */
function rotates(config: ConfigReader, layers: number): ReadonlyArray<boolean> {
  const every = config.integer("no_rope_layer_interval", { default: 4 })
  if (!config.has("no_rope_layers")) return Array.from({ length: layers }, (_, i) => (i + 1) % every !== 0)
  const list = config.record.no_rope_layers
  if (Array.isArray(list) && list.length >= layers && list.every((one) => one === 0 || one === 1)) {
    return list.slice(0, layers).map((one) => one === 1)
  }
  throw config.error("no_rope_layers", `1 (rotary positions) or 0 (none) for each of ${layers} layers`)
}

/** Windows by layer. Without `layer_types` the layers slide that do not rotate. */
function windowsOf(
  config: ConfigReader,
  rotated: ReadonlyArray<boolean>,
  maxPositions: number,
): ReadonlyArray<number | undefined> {
  const slides = config.boolean("use_sliding_window", { default: false })
  if (slides && !config.has("layer_types")) {
    const window = config.optional("sliding_window", (name) => config.integer(name))
    return rotated.map((one) => one ? undefined : window)
  }
  return blocks.readWindows(config, { layers: rotated.length, maxPositions, slides: "some" })
}

/** A config, checked. Throws JsonError. */
export function readConfig(config: ConfigReader): DecoderConfig {
  const common = readDecoder(config, { maxPositions: 32768, heads: { keyValueHeads: 4 }, isTied: true })
  const bias = config.boolean("attention_bias", { default: false })
  const rope = ropeOf(config, { ...common, theta: 2000000 })
  const rotated = rotates(config, config.integer("num_hidden_layers"))
  const windows = windowsOf(config, rotated, common.maxPositions)
  return {
    ...common,
    classes: classesOf("SmolLM3"),
    bias,
    outputBias: bias,
    feedForwardBias: config.boolean("mlp_bias", { default: false }),
    layers: rotated.map((one, i) => ({ rope: one ? rope : undefined, window: windows[i] })),
  }
}
