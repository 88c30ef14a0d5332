/**
 * Kinds of rotary positions, as transformers' modeling_rope_utils defines them.
 * @module
 */
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import { type Rope, ropeFrequencies } from "../../core/model/blocks/mod.ts"

/** What a kind starts from. */
export interface RopeBase {
  /** The base of all wavelengths. */
  readonly theta: number
  readonly headDim: number
  /** Positions before the scaling, where the config says; of the model, where it does not. */
  readonly original: number
  readonly maxPositions: number
}

/** One kind. */
interface Kind {
  /** Fields that it reads, beside those that all have. */
  readonly fields: ReadonlyArray<string>
  readonly make: (fields: ConfigReader, base: RopeBase) => Rope
}

const plain = ({ theta, headDim }: RopeBase): Rope["frequencies"] => ropeFrequencies(theta, headDim)

const positive = (fields: ConfigReader, name: string): number => {
  const value = fields.number(name)
  if (value > 0) return value
  throw fields.error(name, "greater than 0")
}

const unscaled = (frequencies: Rope["frequencies"]): Rope => ({ frequencies, scale: 1 })

/** Of Llama 3.1: low frequencies are slowed, high ones stay, and those between are blended. */
const llama3 = (fields: ConfigReader, base: RopeBase): Rope => {
  const factor = fields.number("factor", { min: 1 })
  const low = positive(fields, "low_freq_factor")
  const high = fields.number("high_freq_factor")
  if (!(high > low)) throw fields.error("high_freq_factor", "greater than low_freq_factor")
  return unscaled(
    plain(base).map((frequency) => {
      const turns = base.original * frequency / (2 * Math.PI)
      if (turns > high) return frequency
      if (turns < low) return frequency / factor
      const smooth = (turns - low) / (high - low)
      return (1 - smooth) * frequency / factor + smooth * frequency
    }),
  )
}

/** YaRN (Peng et al. 2023): a ramp over the dimensions, and attention that is a little sharper. */
const yarn = (fields: ConfigReader, base: RopeBase): Rope => {
  const { theta, headDim, original, maxPositions } = base
  const optional = (name: string): number => fields.number(name, { default: 0 })
  const factor = fields.record.factor === null ? maxPositions / original : positive(fields, "factor")
  const [one, all] = [optional("mscale"), optional("mscale_all_dim")]
  const sharper = (by: number) => factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1
  const scale = fields.optional("attention_factor", (name) => fields.number(name, { min: 0 })) ??
    (one !== 0 && all !== 0 ? sharper(one) / sharper(all) : sharper(1))
  // As there: 0 counts as not given, and null as false.
  const whole = !Object.hasOwn(fields.record, "truncate") || fields.boolean("truncate", { default: false })
  const place = (turns: number) => headDim * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(theta))
  const [first, last] = [place(optional("beta_fast") || 32), place(optional("beta_slow") || 1)]
  const low = Math.max(whole ? Math.floor(first) : first, 0)
  const high = Math.min(whole ? Math.ceil(last) : last, headDim - 1)
  const width = low === high ? 0.001 : high - low
  const frequencies = plain(base).map((frequency, i) => {
    const ramp = Math.min(1, Math.max(0, (i - low) / width))
    return frequency / factor * ramp + frequency * (1 - ramp)
  })
  return { frequencies, scale }
}

/** All kinds, by `rope_type`. */
export const ROPE_KINDS: Readonly<Record<string, Kind>> = {
  default: { fields: [], make: (_, base) => unscaled(plain(base)) },
  linear: {
    fields: ["factor"],
    make: (fields, base) => {
      const factor = positive(fields, "factor")
      return unscaled(plain(base).map((frequency) => frequency / factor))
    },
  },
  // Frequencies change beyond the model's positions alone, and no sequence here is longer.
  dynamic: {
    fields: ["factor"],
    make: (fields, base) => {
      positive(fields, "factor")
      return unscaled(plain(base))
    },
  },
  llama3: { fields: ["factor", "low_freq_factor", "high_freq_factor"], make: llama3 },
  yarn: {
    fields: ["factor", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"],
    make: yarn,
  },
}
