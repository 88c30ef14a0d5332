/**
 * What tells the layers apart: some see all tokens, the others a window of them, each kind with rotary positions of its own.
 * As transformers 5 writes it (`layer_types`, `rope_parameters`) or as version 4 does (`global_attn_every_n_layers`,
 * `global_rope_theta`, `local_rope_theta`). Where a file holds both, both must mean the same.
 * @module
 */
import type { ConfigReader } from "../../core/formats/json/model_config.ts"
import type * as blocks from "../../core/model/blocks/mod.ts"
import { type RopeModel, ropesOf } from "../rotary/mod.ts"

/** One kind. */
export interface LayerKind {
  readonly rope: blocks.Rope
  readonly window: number | undefined
}

/** What is fixed for a model type. */
export interface LocalLayers {
  /** The window of a layer, of `local_attention`. */
  readonly window: (whole: number) => number
  /** Base of rotary positions where no field gives it; undefined where versions of transformers read the fields otherwise. */
  readonly localTheta: number | undefined
}

const GLOBAL = "full_attention", LOCAL = "sliding_attention"
const GLOBAL_THETA = 160000, EVERY = 3, WINDOW = 128

/** The kind of each layer. Throws JsonError. */
export function layerKinds(config: ConfigReader, own: LocalLayers, model: RopeModel): ReadonlyArray<LayerKind> {
  const whole = config.integer("local_attention", { default: WINDOW, min: 2 })
  const half = config.integer("sliding_window", { default: Math.floor(whole / 2) })
  if (half !== Math.floor(whole / 2)) throw config.error("sliding_window", `half of local_attention ${whole}`)
  const ropes = ropesOf(config, {
    [GLOBAL]: { field: "global_rope_theta", theta: GLOBAL_THETA },
    [LOCAL]: { field: "local_rope_theta", theta: localTheta(config, own) },
  }, model)
  // One value for all layers of a kind: its tables are made once.
  const global = { rope: ropes[GLOBAL], window: undefined }
  const local = { rope: ropes[LOCAL], window: own.window(whole) }
  return readGlobal(config).map((sees) => sees ? global : local)
}

/** The base of local layers where `rope_parameters` has none. */
function localTheta(config: ConfigReader, { localTheta }: LocalLayers): number {
  const globalTheta = config.number("global_rope_theta", { default: GLOBAL_THETA })
  // Version 4 takes null as the base of the other layers.
  if (localTheta !== undefined) return config.record.local_rope_theta === null ? globalTheta : localTheta
  const newer = config.optional("rope_parameters", (name) => config.object(name))
  const isNew = newer?.optional(LOCAL, (name) => newer.object(name))?.has("rope_theta") === true
  if (isNew || config.optional("local_rope_theta", (name) => config.number(name)) === globalTheta) return globalTheta
  throw config.error(
    "local_rope_theta",
    `${globalTheta}, as global_rope_theta is: transformers 4 turns all layers by that one, transformers 5 does not`,
  )
}

/** Whether each layer sees all tokens. */
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
