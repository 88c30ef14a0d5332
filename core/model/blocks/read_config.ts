/**
 * What many families read of a config, with the names and meanings that transformers has for it. All throw JsonError.
 * @module
 */
import type { ConfigReader } from "../../formats/json/model_config.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/** A function of each element. */
export type Activation = (x: Tensor) => Tensor

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu: ops.gelu,
  gelu_new: ops.geluTanh,
  gelu_pytorch_tanh: ops.geluTanh,
  relu: ops.relu,
  silu: ops.silu,
  swish: ops.silu,
}

/**
 * The activation that a field names: `gelu`, `gelu_new`, `gelu_pytorch_tanh`, `relu`, `silu` or `swish`.
 *
 * @param otherwise The one taken where the field is left out.
 */
export function readActivation(config: ConfigReader, field: string, otherwise: string): Activation {
  return ACTIVATIONS[config.string(field, { default: otherwise, choices: Object.keys(ACTIVATIONS) })]
}

/** A rate of dropout, from 0 and below 1. */
export function readRate(config: ConfigReader, field: string, otherwise: number): number {
  const value = config.number(field, { default: otherwise, min: 0 })
  if (value < 1) return value
  throw config.error(field, "a number from 0 and below 1")
}

/** The name that a config has for a field with two; where both are there, they must agree. */
export function spelling(config: ConfigReader, name: string, general: string): string {
  const both = config.has(name) && config.has(general)
  if (both && config.record[name] !== config.record[general]) {
    throw config.error(general, `what ${name} is, ${JSON.stringify(config.record[name])}, or left out`)
  }
  return config.has(general) ? general : name
}

/** Sizes of attention. */
export interface HeadSizes {
  /** Width between layers. */
  readonly hiddenSize: number
  /** Number of query heads. */
  readonly heads: number
  /** Number of key and value heads. */
  readonly keyValueHeads: number
  /** Width of a head. */
  readonly headDim: number
}

/**
 * `hidden_size`, `num_attention_heads`, `num_key_value_heads` and `head_dim`.
 *
 * @param otherwise Taken where a field is left out. Defaults: as many key heads as query heads, which null always means;
 * a head of the width that is left.
 */
export function readHeads(config: ConfigReader, otherwise: Partial<HeadSizes> = {}): HeadSizes {
  const hiddenSize = config.integer("hidden_size")
  const heads = config.integer("num_attention_heads")
  const absent = config.record.num_key_value_heads === undefined
  const keyValueHeads = config.integer("num_key_value_heads", {
    default: absent ? otherwise.keyValueHeads ?? heads : heads,
  })
  if (heads % keyValueHeads !== 0) {
    throw config.error("num_key_value_heads", `a divisor of num_attention_heads ${heads}`)
  }
  if (otherwise.headDim !== undefined && config.record.head_dim === null) {
    throw config.error("head_dim", "a positive integer, or left out")
  }
  if (!config.has("head_dim") && otherwise.headDim === undefined && hiddenSize % heads !== 0) {
    throw config.error("num_attention_heads", `a divisor of hidden_size ${hiddenSize}`)
  }
  const headDim = config.integer("head_dim", { default: otherwise.headDim ?? Math.floor(hiddenSize / heads) })
  return { hiddenSize, heads, keyValueHeads, headDim }
}

/** What windows depend on. */
export interface WindowOptions {
  /** Number of layers. */
  readonly layers: number
  /** A window from here on hides nothing. */
  readonly maxPositions: number
  /** Which layers slide. `"some"`: as `use_sliding_window` and `layer_types`, or `max_window_layers`, say. */
  readonly slides: "none" | "all" | "some"
}

const FULL = "full_attention", SLIDING = "sliding_attention"
/** Defaults of transformers. */
const SLIDING_WINDOW = 4096, FIRST_SLIDING = 28

/** The sliding window of each layer: a token sees itself and those before it at less than this distance. */
export function readWindows(
  config: ConfigReader,
  { layers, maxPositions, slides }: WindowOptions,
): ReadonlyArray<number | undefined> {
  const none = Array.from({ length: layers }, () => undefined)
  if (slides === "none") return none
  if (slides === "some" && !config.boolean("use_sliding_window", { default: false })) {
    // It plays no part then.
    config.has("sliding_window")
    return none
  }
  const types = slides === "all" ? undefined : config.optional("layer_types", (name) => config.strings(name))
  if (types !== undefined && (types.length !== layers || types.some((type) => type !== FULL && type !== SLIDING))) {
    throw config.error("layer_types", `"${FULL}" or "${SLIDING}" for each of ${layers} layers`)
  }
  const first = slides === "all" ? 0 : config.integer("max_window_layers", { default: FIRST_SLIDING, min: 0 })
  const isLocal = (i: number) => types === undefined ? i >= first : types[i] === SLIDING
  if (config.record.sliding_window === null) {
    if (types?.includes(SLIDING)) {
      throw config.error("sliding_window", `a positive integer: layer_types has "${SLIDING}"`)
    }
    return none
  }
  const window = config.integer("sliding_window", { default: SLIDING_WINDOW })
  return none.map((_, i) => isLocal(i) && window < maxPositions ? window : undefined)
}
