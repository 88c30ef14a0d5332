import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import { classesOf, type DecoderConfig, readDecoder } from "../decoder/mod.ts"
import { ropeOf } from "../rotary/mod.ts"

/** What the model types have in common, with the four factors. */
function readCommon(config: ConfigReader) {
  const bias = config.boolean("attention_bias", { default: false })
  const factor = (name: string) => config.number(name, { default: 1 })
  const divisor = factor("logits_scaling")
  if (divisor === 0) throw config.error("logits_scaling", "a number other than 0")
  return {
    ...readDecoder(config, { maxPositions: 2048 }),
    classes: classesOf("Granite"),
    bias,
    outputBias: bias,
    embeddingScale: factor("embedding_multiplier"),
    // The model multiplies what it is given, tokens and rows of methods alike.
    scalesRows: true,
    attentionScale: factor("attention_multiplier"),
    outputScale: factor("residual_multiplier"),
    logits: { scale: 1 / divisor },
  }
}

/** Granite. Throws JsonError. */
export function readGranite(config: ConfigReader): DecoderConfig {
  const common = readCommon(config)
  const rope = ropeOf(config, common)
  const layers = Array.from({ length: config.integer("num_hidden_layers") }, () => ({ rope }))
  return { ...common, feedForwardBias: config.boolean("mlp_bias", { default: false }), layers }
}

/** The hybrid without what makes it one. Throws JsonError. */
export function readDense(config: ConfigReader): DecoderConfig {
  const count = config.integer("num_hidden_layers")
  const types = config.strings("layer_types")
  if (types.length !== count || types.some((type) => type !== "attention" && type !== "full_attention")) {
    throw config.error("layer_types", `"attention" for each of ${count} layers: state spaces are not known here`)
  }
  if (config.integer("num_local_experts", { min: 0 }) !== 0) {
    throw config.error("num_local_experts", "0: experts are not known here")
  }
  const common = readCommon(config)
  const kind = config.string("position_embedding_type", { default: "nope", choices: ["rope", "nope"] })
  const found = ropeOf(config, common)
  const rope = kind === "rope" ? found : undefined
  return {
    ...common,
    classes: classesOf("GraniteMoeHybrid"),
    intermediateSize: config.integer("shared_intermediate_size", { default: 1024 }),
    feedForward: { path: "shared_mlp", inputs: ["input_linear"], output: "output_linear" },
    feedForwardBias: false,
    layers: Array.from({ length: count }, () => ({ rope })),
  }
}
