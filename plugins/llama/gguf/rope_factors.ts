/**
 * Scaling of rotary positions: in GGUF fields of the metadata, or a tensor of factors.
 * @module
 */
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { ropeFrequencies } from "../../../core/model/blocks/mod.ts"
import { ROPE_KINDS } from "../rope_kinds.ts"
import { ROPE_FACTORS } from "./names.ts"

type Json = Readonly<Record<string, unknown>>

/** What factors belong to. */
interface FactorsOf {
  readonly theta: number
  readonly headDim: number
  /** By dimension, what frequencies are divided by; undefined without such a tensor. */
  readonly factors: Float32Array | undefined
}

/** `rope_scaling` of a config; null without any. Throws JsonError. */
export function scalingOf(architecture: string, metadata: ConfigReader, of: FactorsOf): Json | null {
  const key = (name: string) => `${architecture}.rope.scaling.${name}`
  const type = metadata.string(key("type"), { default: "none", choices: ["none", "linear", "yarn"] })
  const factor = metadata.number(key("factor"), { default: 1, min: 1 })
  const original = metadata.optional(key("original_context_length"), (name) => metadata.integer(name))
  metadata.boolean(key("finetuned"), { default: false })
  if (of.factors !== undefined) {
    if (type !== "none" && factor !== 1) throw metadata.error(key("type"), `"none" beside the tensor ${ROPE_FACTORS}`)
    return byParts(metadata, of, original)
  }
  if (type === "none" || factor === 1) return null
  if (type === "linear") return { rope_type: "linear", factor }
  return {
    rope_type: "yarn",
    factor,
    ...(original === undefined ? {} : { original_max_position_embeddings: original }),
  }
}

/** Positions before the scaling in most models that have a tensor of factors. */
const USUAL_ORIGINAL = 8192
const LOW = 1, HIGH = 4

/**
 * Scaling of which the factors remember less than a config says: the largest is the factor, and positions follow from
 * where it begins. What does not give the same factors again is an error.
 */
function byParts(metadata: ConfigReader, { theta, headDim, factors }: FactorsOf, original = USUAL_ORIGINAL): Json {
  const scaling = {
    rope_type: "llama3",
    factor: factors!.reduce((most, factor) => Math.max(most, factor), 1),
    low_freq_factor: LOW,
    high_freq_factor: HIGH,
    original_max_position_embeddings: original,
  }
  const base = { theta, headDim, original, maxPositions: original }
  const { frequencies } = ROPE_KINDS.llama3.make(new ConfigReader(metadata.file, scaling), base)
  const plain = ropeFrequencies(theta, headDim)
  const isSame = factors!.length === plain.length &&
    plain.every((frequency, i) => Math.abs(frequency / frequencies[i] / factors![i] - 1) < 1e-5)
  if (isSame) return scaling
  throw metadata.error(
    ROPE_FACTORS,
    `factors of Llama 3.1's scaling (from ${original} positions on, between ${LOW} and ${HIGH} turns): no others are known`,
  )
}
