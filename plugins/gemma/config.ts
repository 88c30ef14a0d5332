import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import type { Rope } from "../../core/model/blocks/mod.ts"
import { classesOf, type CommonConfig, type DecoderConfig, type DecoderLayer, readDecoder } from "../decoder/mod.ts"
import { ropeOf, ropesOf } from "../rotary/mod.ts"

/** Norms around the parts, and before them alone. */
const AROUND = {
  attention: ["input_layernorm", "post_attention_layernorm"],
  feedForward: ["pre_feedforward_layernorm", "post_feedforward_layernorm"],
} as const
const BEFORE = { attention: ["input_layernorm"], feedForward: ["pre_feedforward_layernorm"] } as const

export const FULL = "full_attention", SLIDING = "sliding_attention"
type LayerType = typeof FULL | typeof SLIDING

/** The type of each layer: as `layer_types` says, else every so many layers a full one. */
function layerTypes(config: ConfigReader, every: number): ReadonlyArray<LayerType> {
  const count = config.integer("num_hidden_layers")
  if (!config.has("layer_types")) return Array.from({ length: count }, (_, i) => (i + 1) % every === 0 ? FULL : SLIDING)
  const types = config.strings("layer_types")
  if (types.length === count && types.every((type) => type === FULL || type === SLIDING)) return types
  throw config.error("layer_types", `"${FULL}" or "${SLIDING}" for each of ${count} layers`)
}

/** A bound on scores; null is none. */
function capOf(config: ConfigReader, name: string, usual?: number): number | undefined {
  const isNull = Object.hasOwn(config.record, name) && !config.has(name)
  const value = config.optional(name, (name) => config.number(name)) ?? (isNull ? undefined : usual)
  if (value === undefined || value > 0) return value
  throw config.error(name, "greater than 0, or null")
}

/** What all model types have. */
function readCommon(config: ConfigReader, maxPositions: number) {
  const bias = config.boolean("attention_bias", { default: false })
  const common: CommonConfig = readDecoder(config, {
    maxPositions,
    heads: { keyValueHeads: 4, headDim: 256 },
    activation: ["hidden_activation", "gelu_pytorch_tanh"],
    isTied: true,
  })
  const scalar = config.number("query_pre_attn_scalar", { default: 256 })
  if (!(scalar > 0)) throw config.error("query_pre_attn_scalar", "greater than 0")
  return {
    ...common,
    bias,
    outputBias: bias,
    feedForwardBias: false,
    normOffset: 1,
    embeddingScale: Math.sqrt(common.hiddenSize),
    attentionScale: 1 / Math.sqrt(scalar),
  } as const
}

/** Layers with the positions of their types; those that slide see a window. */
function layersOf(
  types: ReadonlyArray<LayerType>,
  ropes: Readonly<Record<LayerType, Rope>>,
  window: number | undefined,
): ReadonlyArray<DecoderLayer> {
  return types.map((type) => ({ rope: ropes[type], window: type === SLIDING ? window : undefined }))
}

/** Distance from which on sliding layers hide tokens; undefined where that is beyond all positions. */
function windowOf(config: ConfigReader, types: ReadonlyArray<LayerType>, maxPositions: number): number | undefined {
  if (config.record.sliding_window === null && types.includes(SLIDING)) {
    throw config.error("sliding_window", `a positive integer: layer_types has "${SLIDING}"`)
  }
  const window = config.integer("sliding_window", { default: 4096 })
  return window < maxPositions ? window : undefined
}

/** Gemma 3 (2025). With `use_bidirectional_attention` tokens see later ones, too, and `sliding_window` is of both sides. */
export function readGemma3(config: ConfigReader): DecoderConfig {
  const common = readCommon(config, 131072)
  const types = layerTypes(config, config.integer("sliding_window_pattern", { default: 6 }))
  const isBidirectional = config.boolean("use_bidirectional_attention", { default: false })
  const window = windowOf(config, types, common.maxPositions)
  const ropes = ropesOf(config, {
    [FULL]: { field: "rope_theta", theta: 1000000, scaled: true },
    [SLIDING]: { field: "rope_local_base_freq", theta: 10000 },
  }, common)
  return {
    ...common,
    classes: { ...classesOf("Gemma3Text"), vocabulary: "Gemma3ForCausalLM" },
    layers: layersOf(types, ropes, isBidirectional && window !== undefined ? Math.floor(window / 2) + 1 : window),
    hasHeadNorms: true,
    norms: AROUND,
    causal: !isBidirectional,
    logits: { softCap: capOf(config, "final_logit_softcapping") },
  }
}

/** Gemma 2 (2024), and VaultGemma, which has norms before the parts alone. */
const readCapped = (name: string, norms: Required<DecoderConfig>["norms"]) => (config: ConfigReader): DecoderConfig => {
  const common = readCommon(config, 8192)
  const types = layerTypes(config, 2)
  const rope = ropeOf(config, common)
  return {
    ...common,
    classes: classesOf(name),
    layers: layersOf(types, { [FULL]: rope, [SLIDING]: rope }, windowOf(config, types, common.maxPositions)),
    norms,
    attentionSoftCap: capOf(config, "attn_logit_softcapping", 50),
    logits: { softCap: capOf(config, "final_logit_softcapping", 30) },
  }
}
export const readGemma2 = readCapped("Gemma2", AROUND)
export const readVaultGemma = readCapped("VaultGemma", BEFORE)
