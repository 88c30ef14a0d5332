import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import { silu } from "../../core/tensor/ops.ts"
import { ropeOf } from "../rotary/mod.ts"

/** The base of rotary positions in transformers 4.57 and 5.24. */
export const DEFAULT_THETA = 1000000

/** A config, checked, with transformers' names and defaults; the first files of LFM2 have other names for some fields. */
export function readConfig(config: ConfigReader) {
  const sizes = blocks.readHeads(config, { keyValueHeads: 8 })
  const epsilon = config.number("norm_eps", { default: 1e-5, min: 0 })
  for (const name of ["block_dim", "conv_dim", "conv_dim_out"]) same(config, name, "hidden_size", sizes.hiddenSize)
  same(config, "num_heads", "num_attention_heads", sizes.heads)
  same(config, "block_norm_eps", "norm_eps", epsilon)
  const maxPositions = config.integer("max_position_embeddings", { default: 128000 })
  return {
    ...sizes,
    intermediateSize: readIntermediateSize(config),
    vocabSize: config.integer("vocab_size"),
    maxPositions,
    epsilon,
    std: config.number("initializer_range", { default: 0.02, min: 0 }),
    kernel: config.integer("conv_L_cache", { default: 3 }),
    convolutionBias: config.boolean("conv_bias", { default: false }),
    layerTypes: readLayerTypes(config, config.integer("num_hidden_layers")),
    rope: ropeOf(config, { headDim: sizes.headDim, maxPositions, theta: readTheta(config) }),
    activation: silu,
    isTied: config.boolean(blocks.spelling(config, "tie_embedding", "tie_word_embeddings"), { default: true }),
  }
}

/** A config, checked. */
export type Config = ReturnType<typeof readConfig>

/** A second field for what another one says: it plays no part, and must not say otherwise. */
function same(config: ConfigReader, name: string, other: string, value: number): void {
  if (!config.has(name) || config.record[name] === value) return
  throw config.error(name, `what ${other} is, ${value}, or left out`)
}

/** The base of rotary positions where a config has it under its first name, or not at all. */
function readTheta(config: ConfigReader): number {
  const theta = config.optional("theta", (name) => config.number(name))
  if (theta === undefined) return DEFAULT_THETA
  const { rope_theta: older, rope_parameters: newer } = config.record
  const others = [older, (newer as { readonly rope_theta?: unknown } | null | undefined)?.rope_theta]
  const other = others.find((value) => value !== undefined && value !== theta)
  if (other === undefined && theta > 0) return theta
  throw config.error("theta", other === undefined ? "greater than 0" : `what rope_theta is, ${other}, or left out`)
}

/** Width inside the feed-forward: two thirds of the field, in whole multiples, unless the config says that it is final. */
function readIntermediateSize(config: ConfigReader): number {
  const given = config.integer(blocks.spelling(config, "block_ff_dim", "intermediate_size"), { default: 12288 })
  const multiple = config.integer("block_multiple_of", { default: 256 })
  const isGiven = config.record.block_ffn_dim_multiplier !== undefined
  const factor = config.optional("block_ffn_dim_multiplier", (name) => config.number(name, { min: 0 }))
  if (!config.boolean("block_auto_adjust_ff_dim", { default: true })) return given
  const part = Math.trunc(2 * given / 3)
  // As there: null leaves it as it is.
  if (factor === undefined && isGiven) return part
  return multiple * Math.ceil(Math.trunc((factor ?? 1) * part) / multiple)
}

/** Kinds of layers. */
export const FULL = "full_attention", CONVOLUTION = "conv"

/** What each layer is: by `layer_types`, or by the places of attention. */
function readLayerTypes(config: ConfigReader, layers: number): ReadonlyArray<string> {
  const places = config.optional("full_attn_idxs", (name) => config.record[name])
  const isPlace = (value: unknown) =>
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < layers
  if (places !== undefined && !(Array.isArray(places) && places.every(isPlace))) {
    throw config.error("full_attn_idxs", `a list of layers from 0 to ${layers - 1}`)
  }
  const byPlace = Array.from(
    { length: layers },
    (_, i) => places === undefined || (places as ReadonlyArray<number>).includes(i) ? FULL : CONVOLUTION,
  )
  const types = config.optional("layer_types", (name) => config.strings(name)) ?? byPlace
  if (types.length !== layers || types.some((type) => type !== FULL && type !== CONVOLUTION)) {
    throw config.error("layer_types", `"${FULL}" or "${CONVOLUTION}" for each of ${layers} layers`)
  }
  if (places !== undefined && `${types}` !== `${byPlace}`) {
    throw config.error("full_attn_idxs", `the layers that layer_types calls "${FULL}", or left out`)
  }
  if (!types.includes(FULL)) throw config.error("layer_types", `"${FULL}" for one layer at least`)
  return types
}
