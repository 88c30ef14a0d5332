/**
 * Rotary position embedding: frequencies and tables, in float64 on the host.
 * @module
 */
import type { ConfigReader } from "../../core/formats/model_config.ts"

/** Turns of each pair of dimensions per position, in radians: [headDim / 2]. */
export type Frequencies = ReadonlyArray<number>

/**
 * Frequencies that a config asks for: theta^(-2i/headDim) (Su et al. 2021), with the scaling of Llama 3.1 where
 * `rope_scaling` says so. Throws JsonError on kinds of scaling that are not known here.
 */
export function frequenciesOf(config: ConfigReader, headDim: number): Frequencies {
  const theta = config.number("rope_theta", { default: 10000 })
  const plain = Array.from({ length: headDim / 2 }, (_, i) => theta ** (-2 * i / headDim))
  if (!config.has("rope_scaling")) return plain
  const scaling = config.object("rope_scaling")
  const name = scaling.has("rope_type") ? "rope_type" : "type"
  if (scaling.string(name, { choices: ["default", "llama3"] }) === "default") return plain
  const factor = scaling.number("factor", { min: 1 })
  const low = scaling.number("low_freq_factor")
  const high = scaling.number("high_freq_factor")
  const positions = scaling.integer("original_max_position_embeddings")
  if (!(low > 0)) throw scaling.error("low_freq_factor", "greater than 0")
  if (!(high > low)) throw scaling.error("high_freq_factor", "greater than low_freq_factor")
  return plain.map((frequency) => {
    const turns = positions * frequency / (2 * Math.PI)
    if (turns > high) return frequency
    if (turns < low) return frequency / factor
    const smooth = (turns - low) / (high - low)
    return (1 - smooth) * frequency / factor + smooth * frequency
  })
}

/** Cosines and sines of positions `start` and following: [length, headDim / 2] each. */
export function rotaryTables(
  frequencies: Frequencies,
  start: number,
  length: number,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const half = frequencies.length
  const cos = new Float32Array(length * half)
  const sin = new Float32Array(length * half)
  for (let at = 0; at < length * half; at++) {
    const angle = (start + Math.floor(at / half)) * frequencies[at % half]
    cos[at] = Math.cos(angle)
    sin[at] = Math.sin(angle)
  }
  return { cos, sin }
}
