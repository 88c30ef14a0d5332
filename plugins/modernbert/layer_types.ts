/**
 * Which layers see all tokens, and the base of rotary positions of each kind: as transformers 5 writes it (`layer_types`,
 * `rope_parameters`) or as version 4 does (`global_attn_every_n_layers`, `global_rope_theta`, `local_rope_theta`). Where a
 * file holds both, both must mean the same.
 * @module
 */
import type { ConfigReader } from "../../core/formats/json/model_config.ts"

/** The kinds of a model's layers. */
export interface LayerTypes {
  /** Of each layer, whether its tokens see all others. */
  readonly isGlobal: ReadonlyArray<boolean>
  /** Base of the rotary positions of layers that see all. */
  readonly globalTheta: number
  /** Of those that see a window. */
  readonly localTheta: number
}

const GLOBAL = "full_attention", LOCAL = "sliding_attention"
const GLOBAL_THETA = 160000, EVERY = 3

/**
 * Reads the kinds. Throws JsonError.
 *
 * @param otherwise Base of local layers where no field gives it; undefined where versions of transformers take others.
 */
export function layerTypes(config: ConfigReader, otherwise: number | undefined): LayerTypes {
  const ropes = config.has("rope_parameters") ? config.object("rope_parameters") : undefined
  const odd = Object.keys(ropes?.record ?? {}).find((name) => name !== GLOBAL && name !== LOCAL)
  if (odd !== undefined) throw config.error("rope_parameters", `an object of "${GLOBAL}" and "${LOCAL}"`)
  const theta = (type: string, field: string): number | undefined => {
    const newer = ropes?.has(type) ? thetaIn(ropes.object(type)) : undefined
    const older = config.optional(field, (name) => positive(config, name))
    if (newer === undefined || older === undefined || newer === older) return newer ?? older
    throw config.error(field, `${newer}, as rope_parameters says, or left out`)
  }
  const globalTheta = theta(GLOBAL, "global_rope_theta") ?? GLOBAL_THETA
  const localTheta = theta(LOCAL, "local_rope_theta")
  // Version 4 takes null as the base of the other layers.
  const fallback = config.record.local_rope_theta === null ? globalTheta : otherwise
  if (localTheta === undefined && fallback === undefined) {
    throw config.error("local_rope_theta", "given: versions of transformers take other numbers where it is not")
  }
  return { isGlobal: readGlobal(config), globalTheta, localTheta: localTheta ?? fallback! }
}

function readGlobal(config: ConfigReader): ReadonlyArray<boolean> {
  const layers = config.integer("num_hidden_layers")
  const every = config.optional("global_attn_every_n_layers", (name) => config.integer(name))
  const types = config.optional("layer_types", (name) => config.strings(name))
  const byNumber = Array.from({ length: layers }, (_, i) => i % (every ?? EVERY) === 0)
  if (types === undefined) return byNumber
  if (types.length !== layers || types.some((type) => type !== GLOBAL && type !== LOCAL)) {
    throw config.error("layer_types", `"${GLOBAL}" or "${LOCAL}" for each of ${layers} layers`)
  }
  const byType = types.map((type) => type === GLOBAL)
  if (every === undefined || byType.every((sees, i) => sees === byNumber[i])) return byType
  throw config.error("layer_types", `what global_attn_every_n_layers ${every} says too; take the wrong one out`)
}

function thetaIn(fields: ConfigReader): number | undefined {
  fields.string("rope_type", { default: "default", choices: ["default"] })
  const theta = fields.optional("rope_theta", (name) => positive(fields, name))
  const odd = fields.unread().find((name) => fields.has(name))
  if (odd !== undefined) throw fields.error(odd, "left out: it is not known for these rotary positions")
  return theta
}

function positive(fields: ConfigReader, name: string): number {
  const value = fields.number(name)
  if (value > 0) return value
  throw fields.error(name, "greater than 0")
}
