import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import { classesOf, readDecoder } from "../decoder/mod.ts"
import { ropeOf } from "../rotary/mod.ts"

/** Names of transformers' classes, and defaults of transformers 4.57 and 5.24. */
export const TYPES = {
  llama: { name: "Llama", maxPositions: 2048, slides: "none", heads: {} },
  mistral: { name: "Mistral", maxPositions: 131072, slides: "all", heads: { keyValueHeads: 8 } },
  qwen2: { name: "Qwen2", maxPositions: 32768, slides: "some", heads: { keyValueHeads: 32 } },
  qwen3: { name: "Qwen3", maxPositions: 32768, slides: "some", heads: { keyValueHeads: 32, headDim: 128 } },
} as const

/** A config, checked, with transformers' names and defaults. */
export function readConfig(config: ConfigReader) {
  const type = config.string("model_type") as keyof typeof TYPES
  const { name, slides, heads, maxPositions } = TYPES[type]
  const common = readDecoder(config, { maxPositions, heads })
  // Of Qwen2 biases are fixed, whatever the file says.
  const bias = type !== "mistral" && config.boolean("attention_bias", { default: false })
  const layers = config.integer("num_hidden_layers")
  return {
    ...common,
    classes: classesOf(name),
    bias: bias || type === "qwen2",
    outputBias: bias && type !== "qwen2",
    feedForwardBias: type === "llama" && config.boolean("mlp_bias", { default: false }),
    hasHeadNorms: type === "qwen3",
    rope: ropeOf(config, common),
    windows: blocks.readWindows(config, { layers, maxPositions: common.maxPositions, slides }),
  }
}

/** A config, checked. */
export type Config = ReturnType<typeof readConfig>
