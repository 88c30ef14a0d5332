/**
 * What a GGUF file says of a model beside its weights: the inverse of `configIn`.
 * @module
 */
import type { GgufMetadata, GgufValue } from "../../../core/formats/gguf/gguf_types.ts"
import type { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { ropeFrequencies } from "../../../core/model/blocks/mod.ts"
import type { LazyTensor } from "../../../core/weights/mod.ts"
import { architectureFields, count, real } from "../../gguf_fields/mod.ts"
import { readConfig, type TYPES } from "../config.ts"
import { ROPE_FACTORS } from "./names.ts"

type Architecture = Exclude<keyof typeof TYPES, "mistral">
type Json = Readonly<Record<string, unknown>>

/** Fields of a config's scaling that GGUF holds, or that say nothing more. */
const SCALING_FIELDS: Readonly<Record<string, ReadonlyArray<string>>> = {
  linear: ["factor"],
  yarn: ["factor", "original_max_position_embeddings"],
}
const COMMON = ["rope_type", "type", "rope_theta"]

/** The metadata of a config. Throws JsonError on what GGUF has no field for. */
export function metadataOf(architecture: Architecture, config: ConfigReader): GgufMetadata {
  const own = readConfig(config)
  config.string("hidden_act", { default: "silu", choices: ["silu", "swish"] })
  if (architecture === "qwen3" && own.bias) throw config.error("attention_bias", "false: GGUF files have none")
  const window = own.windows.find((one) => one !== undefined)
  if (window !== undefined && config.string("model_type") !== "mistral") {
    throw config.error("use_sliding_window", "false: GGUF files of this architecture have no windows")
  }
  const values: Readonly<Record<string, GgufValue>> = {
    block_count: count(own.windows.length),
    context_length: count(own.maxPositions),
    embedding_length: count(own.hiddenSize),
    feed_forward_length: count(own.intermediateSize),
    vocab_size: count(own.vocabSize),
    "attention.head_count": count(own.heads),
    "attention.head_count_kv": count(own.keyValueHeads),
    "attention.key_length": count(own.headDim),
    "attention.value_length": count(own.headDim),
    "attention.layer_norm_rms_epsilon": real(own.epsilon),
    ...(window === undefined ? {} : { "attention.sliding_window": count(window) }),
    "rope.dimension_count": count(own.headDim),
    "rope.freq_base": real(thetaOf(config)),
    ...scalingValues(config),
  }
  return architectureFields(architecture, values)
}

/** Factors of frequencies, of a config whose scaling has no fields in GGUF. */
export function factorTensors(config: ConfigReader): ReadonlyArray<LazyTensor> {
  if (kindOf(config) !== "llama3") return []
  const { rope: { frequencies }, headDim } = readConfig(config)
  const factors = Float32Array.from(ropeFrequencies(thetaOf(config), headDim), (plain, i) => plain / frequencies[i])
  return [{ name: ROPE_FACTORS, shape: [factors.length], read: () => Promise.resolve(factors) }]
}

const scalingIn = ({ record }: ConfigReader): Json => (record.rope_parameters ?? record.rope_scaling ?? {}) as Json

const kindOf = (config: ConfigReader): unknown => scalingIn(config).rope_type ?? scalingIn(config).type ?? "default"

const thetaOf = (config: ConfigReader): number =>
  Number(config.record.rope_theta ?? scalingIn(config).rope_theta ?? 10000)

function scalingValues(config: ConfigReader): Readonly<Record<string, GgufValue>> {
  const kind = String(kindOf(config)), scaling = scalingIn(config)
  if (!Object.hasOwn(SCALING_FIELDS, kind)) return {}
  const known = [...COMMON, ...SCALING_FIELDS[kind]]
  const odd = Object.keys(scaling).find((name) => scaling[name] !== null && !known.includes(name))
  if (odd !== undefined) throw config.error("rope_scaling", `without "${odd}", which GGUF has no field for`)
  const original = scaling.original_max_position_embeddings ?? config.record.original_max_position_embeddings
  return {
    "rope.scaling.type": { type: "string", value: kind },
    "rope.scaling.factor": real(Number(scaling.factor)),
    ...(original === undefined ? {} : { "rope.scaling.original_context_length": count(Number(original)) }),
  }
}
