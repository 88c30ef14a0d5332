/**
 * Scaling of rotary positions: in GGUF fields of the metadata, or a tensor of factors.
 * @module
 */
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { ropeFrequencies } from "../../../core/model/blocks/mod.ts"
import { ROPE_KINDS } from "../../rotary/mod.ts"
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
    return byParts(metadata, of)
  }
  if (type === "none" || factor === 1) return null
  if (type === "linear") return { rope_type: "linear", factor }
  return {
    rope_type: "yarn",
    factor,
    ...(original === undefined ? {} : { original_max_position_embeddings: original }),
  }
}

/** Turns within the original positions, below and above which frequencies are slowed, and stay: those of all such models. */
const LOW = 1, HIGH = 4

/** The original positions where no frequency lies between, from which they would follow. */
const USUAL_ORIGINAL = 8192

/**
 * The scaling that factors stand for: those of low frequencies are its factor, those of high ones 1, and the ones between
 * tell the original positions. What does not give the same factors again is an error.
 */
function byParts(metadata: ConfigReader, { theta, headDim, factors = new Float32Array() }: FactorsOf): Json {
  const plain = ropeFrequencies(theta, headDim)
  const factor = factors.reduce((most, one) => Math.max(most, one), 1)
  const between = factors.findIndex((one) => one > 1.001 && one < 0.999 * factor)
  const share = (1 / factors[between] - 1 / factor) / (1 - 1 / factor)
  const turns = LOW + share * (HIGH - LOW)
  const original = between < 0 ? USUAL_ORIGINAL : Math.round(2 * Math.PI * turns / plain[between])
  const scaling = {
    rope_type: "llama3",
    factor,
    low_freq_factor: LOW,
    high_freq_factor: HIGH,
    original_max_position_embeddings: original,
  }
  const base = { theta, headDim, original, maxPositions: original }
  const { frequencies } = ROPE_KINDS.llama3.make(new ConfigReader(metadata.file, scaling), base)
  const isSame = factors.length === plain.length &&
    plain.every((frequency, i) => Math.abs(frequency / frequencies[i] / factors[i] - 1) < 1e-5)
  if (isSame) return scaling
  const message = `"${metadata.file}": ${ROPE_FACTORS} holds factors of rotary frequencies that are not those of the ` +
    `scaling known here (slowed below ${LOW} turn, as they are above ${HIGH}): take the model as safetensors`
  throw new JsonError({ reason: "Value", file: metadata.file, message })
}
