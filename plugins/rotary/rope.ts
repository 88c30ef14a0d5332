/**
 * Rotary position embedding: what a config says of it.
 * @module
 */
import { JsonError } from "../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../core/formats/json/model_config.ts"
import type { Rope } from "../../core/model/blocks/mod.ts"
import { ROPE_KINDS } from "./rope_kinds.ts"

/** What of a model rotary positions depend on. */
export interface RopeModel {
  /** Width of a head. */
  readonly headDim: number
  /** Positions of the model. */
  readonly maxPositions: number
  /** The base of all wavelengths where a config has none. Default 10000. */
  readonly theta?: number
}

/** What older configs say of the rotary positions of one type of layers. */
export interface OlderRope {
  /** The field with the base of all wavelengths. */
  readonly field: string
  /** The base where there is none. */
  readonly theta: number
  /** Whether `rope_scaling` is theirs. Default false. */
  readonly scaled?: boolean
}

/** Fields that every kind may have. `finetuned` is YaRN's own note. */
const COMMON = ["rope_type", "type", "rope_theta", "original_max_position_embeddings", "partial_rotary_factor"]
const PASSED_OVER = ["finetuned"]

const DEFAULT_THETA = 10000

/**
 * Rotary positions that a config asks for: as transformers 5 writes it (`rope_parameters`) or as earlier versions did
 * (`rope_theta` and `rope_scaling`). Where the file holds both, or what the versions read otherwise, both must mean the
 * same. Throws JsonError on kinds and fields that are not known here.
 */
export function ropeOf(config: ConfigReader, model: RopeModel): Rope {
  checkWidth(config, model)
  const newer = parametersOf(config)
  const older = config.has("rope_scaling") ? config.object("rope_scaling") : undefined
  if (config.record.rope_theta === null) throw config.error("rope_theta", "a number greater than 0, or left out")
  const theta = config.optional("rope_theta", (name) => thetaIn(config, name))
  checkPartial(config)
  const top = config.optional("original_max_position_embeddings", (name) => config.integer(name))
  const inside = (fields?: ConfigReader) => fields?.optional("rope_theta", (name) => thetaIn(fields, name))
  const read = (fields: ConfigReader | undefined, own: number | undefined) =>
    ropeIn(fields ?? new ConfigReader(config.file, {}), own ?? model.theta ?? DEFAULT_THETA, model, top)
  // Version 4 takes theta from the top; version 5 from within, with the top's where there is none.
  const old = same(config, read(older, theta), read(older, inside(older) ?? theta), "rope_theta", "rope_scaling")
  if (newer === undefined) return old
  const rope = read(newer, inside(newer) ?? theta)
  if (older !== undefined) same(config, rope, old, "rope_parameters", "rope_scaling")
  return same(config, rope, read(newer, theta ?? inside(newer)), "rope_parameters", "rope_theta")
}

/**
 * Rotary positions by type of layers (`layer_types`): from `rope_parameters` that lie by type, as transformers 5 writes
 * them, or from older fields. Where the file holds both, both must mean the same. Throws JsonError on kinds, types and
 * fields that are not known here.
 */
export function ropesOf<Type extends string>(
  config: ConfigReader,
  types: Readonly<Record<Type, OlderRope>>,
  model: RopeModel,
): Readonly<Record<Type, Rope>> {
  checkWidth(config, model)
  checkPartial(config)
  const top = config.optional("original_max_position_embeddings", (name) => config.integer(name))
  const newer = config.optional("rope_parameters", (name) => config.object(name))
  const odd = Object.keys(newer?.record ?? {}).find((type) => !Object.hasOwn(types, type))
  if (odd !== undefined) throw newer!.error(odd, `left out: positions lie by ${Object.keys(types).join(" and ")} here`)
  const one = ([type, { field, theta, scaled = false }]: readonly [string, OlderRope]) => {
    const scaling = scaled ? config.optional("rope_scaling", (name) => config.object(name)) : undefined
    const given = config.optional(field, (name) => thetaIn(config, name))
    const older = ropeIn(scaling ?? new ConfigReader(config.file, {}), given ?? theta, model, top)
    const own = newer?.optional(type, (name) => newer.object(name))
    if (own === undefined) return [type, older]
    const inside = own.optional("rope_theta", (name) => thetaIn(own, name))
    const rope = ropeIn(own, inside ?? given ?? theta, model, top)
    if (scaling === undefined && given === undefined) return [type, rope]
    return [type, same(config, rope, older, "rope_parameters", scaling === undefined ? field : "rope_scaling")]
  }
  return Object.fromEntries(Object.entries<OlderRope>(types).map(one))
}

function checkWidth(config: ConfigReader, { headDim }: RopeModel): void {
  if (headDim % 2 === 0) return
  const message = `${config.file}: heads must have an even width for rotary positions, got ${headDim}`
  throw new JsonError({ reason: "Value", file: config.file, message })
}

/** `rope_parameters`, which may lie by layer type: all of a type must say the same. */
function parametersOf(config: ConfigReader): ConfigReader | undefined {
  if (!config.has("rope_parameters")) return undefined
  const fields = config.object("rope_parameters")
  const values = Object.values(fields.record)
  const nested = values.length > 0 && values.every((value) => typeof value === "object" && value !== null)
  if (!nested) return Object.keys(fields.record).length === 0 ? undefined : fields
  const names = Object.keys(fields.record)
  const text = (name: string) => JSON.stringify(Object.entries(fields.object(name).record).sort())
  const other = names.find((name) => text(name) !== text(names[0]))
  if (other === undefined) return fields.object(names[0])
  throw config.error("rope_parameters", `the same for all layers ("${names[0]}" and "${other}" differ)`)
}

function thetaIn(fields: ConfigReader, name: string): number {
  const theta = fields.number(name)
  if (theta > 0) return theta
  throw fields.error(name, "greater than 0")
}

function checkPartial(fields: ConfigReader): void {
  const share = fields.number("partial_rotary_factor", { default: 1 })
  if (share !== 1) throw fields.error("partial_rotary_factor", "1: heads are rotated whole here")
}

/** The kind that `fields` name, made. */
function ropeIn(fields: ConfigReader, theta: number, { headDim, maxPositions }: RopeModel, top?: number): Rope {
  const name = kindIn(fields)
  checkPartial(fields)
  const own = fields.optional("original_max_position_embeddings", (name) => fields.integer(name))
  // Where both are there, version 5 takes the one at the top, version 4 the one within.
  if (top !== undefined && top !== (own ?? maxPositions) && (name === "yarn" || name === "llama3")) {
    if (own !== undefined || name === "yarn") {
      throw fields.error("original_max_position_embeddings", `${top}, as at the top of the file`)
    }
  }
  const known = [...COMMON, ...PASSED_OVER, ...ROPE_KINDS[name].fields]
  const odd = Object.keys(fields.record).find((field) => fields.has(field) && !known.includes(field))
  if (odd !== undefined) throw fields.error(odd, `left out: it is not known for rotary positions of kind "${name}"`)
  return ROPE_KINDS[name].make(fields, { theta, headDim, maxPositions, original: own ?? top ?? maxPositions })
}

/** `rope_type`, or `type` of old; a dictionary of theta alone is plain. */
function kindIn(fields: ConfigReader): string {
  const choices = Object.keys(ROPE_KINDS)
  const older = fields.optional("type", (name) => fields.string(name, { choices }))
  const newer = fields.optional("rope_type", (name) => fields.string(name, { choices }))
  if (older !== undefined && newer !== undefined && older !== newer) {
    throw fields.error("rope_type", `"${older}", as type says, or left out`)
  }
  if (newer === undefined && older === undefined && fields.has("factor")) {
    throw fields.error("rope_type", `one of ${choices.join(", ")}`)
  }
  return newer ?? older ?? "default"
}

/** Two readings of one file, which must agree. */
function same(config: ConfigReader, a: Rope, b: Rope, first: string, second: string): Rope {
  const equal = a.scale === b.scale && a.frequencies.every((frequency, i) => frequency === b.frequencies[i])
  if (equal) return a
  throw config.error(
    first,
    `what ${second} says too (versions of transformers read one or the other); take the wrong one out`,
  )
}
