/**
 * AdapterHub's JSON files, as its package `adapters` 1.3 writes and reads them.
 * @module
 */
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { JsonError } from "../../core/formats/json/json_error.ts"
import { parseJson } from "../../core/formats/json/json_file.ts"
import { ConfigReader, objectReader } from "../../core/formats/json/model_config.ts"
import { nearest } from "../peft_format/mod.ts"
import { baseName } from "../peft_names/mod.ts"
import { AdapterHubError } from "./adapter_hub_error.ts"
import type { Composition, ResolvedFusion } from "./composition.ts"
import { type AdapterOptions, resolveAdapter, type ResolvedAdapter } from "./options.ts"

export const FILES = {
  config: "adapter_config.json",
  weights: "adapter.safetensors",
  pickle: "pytorch_adapter.bin",
  fusionConfig: "adapter_fusion_config.json",
  fusionWeights: "model_adapter_fusion.safetensors",
  fusionPickle: "pytorch_model_adapter_fusion.bin",
  headConfig: "head_config.json",
  headWeights: "model_head.safetensors",
  headPickle: "pytorch_model_head.bin",
  setup: "adapter_setup.json",
} as const

/** Without it, AdapterHub assumes an old file, with other names of some non-linearities. */
const VERSION = "adapters.1.3.0"

export interface HubModel {
  readonly hiddenSize: number
  /** Name of transformers' class; AdapterHub loads a head only into the same class. */
  readonly architecture: string
  /** Directory of the base model; empty for none. */
  readonly baseModel: string
}

/** Option by AdapterHub's field. */
const FIELDS = {
  mh_adapter: "mhAdapter",
  output_adapter: "outputAdapter",
  reduction_factor: "reductionFactor",
  non_linearity: "nonLinearity",
  original_ln_before: "originalLnBefore",
  original_ln_after: "originalLnAfter",
  ln_before: "lnBefore",
  ln_after: "lnAfter",
  init_weights: "initWeights",
  is_parallel: "isParallel",
  scaling: "scaling",
  residual_before_ln: "residualBeforeLn",
  adapter_residual_before_ln: "adapterResidualBeforeLn",
  leave_out: "leaveOut",
  dropout: "dropout",
} as const satisfies Readonly<Record<string, keyof ResolvedAdapter>>

/** Fields and their only supported values. */
const FIXED: Readonly<Record<string, unknown>> = {
  use_gating: false,
  inv_adapter: null,
  invertible_adapter: null,
  cross_adapter: false,
  phm_layer: false,
  stochastic_depth: 0,
}

/** Fields without effect while {@link FIXED} holds, with AdapterHub's defaults. */
const IDLE: Readonly<Record<string, unknown>> = {
  init_weights_seed: null,
  inv_adapter_reduction_factor: null,
  phm_dim: 4,
  factorized_phm_W: true,
  shared_W_phm: false,
  shared_phm_rule: true,
  factorized_phm_rule: false,
  phm_c_init: "normal",
  phm_init_range: 0.0001,
  learn_phm: true,
  hypercomplex_nonlinearity: "glorot-uniform",
  phm_rank: 1,
  phm_bias: true,
}

/** Names of non-linearities in files of adapter-transformers 1, which have no version. */
const OLD_NAMES: Readonly<Record<string, string>> = { gelu: "gelu_new", gelu_orig: "gelu" }

export function encodeAdapterConfig(adapter: ResolvedAdapter, model: HubModel): Uint8Array {
  const { invertible_adapter: _, ...fixed } = FIXED
  const own = Object.fromEntries(Object.entries(FIELDS).map(([theirs, ours]) => [theirs, adapter[ours]]))
  return encode({ config: { ...IDLE, ...fixed, ...own }, ...shared(model), name: adapter.name })
}

export function encodeFusionConfig(
  { name, value, regularization, dropoutProb }: ResolvedFusion,
  model: HubModel,
): Uint8Array {
  const config = {
    ...FUSION_FIXED,
    value,
    regularization,
    // Without it, AdapterHub uses the dropout of the model's attention.
    dropout_prob: dropoutProb === 0 ? null : dropoutProb,
    value_initialized: value,
    value_before_softmax: true,
  }
  return encode({ adapter_names: name.split(","), config, ...shared(model), name })
}

export function encodeHeadConfig(model: HubModel): Uint8Array {
  return encode({ config: null, ...shared(model), name: null })
}

export function encodeSetup(composition: Composition<ResolvedAdapter>): Uint8Array {
  const block = (one: Composition<ResolvedAdapter>): unknown => {
    if (one.type === "single") return { type: "single", children: [one.member.name] }
    if (one.type === "Stack") return { type: one.type, children: one.children.map(block) }
    const children = one.members.map((member) => block({ type: "single", member }))
    return { type: one.type, children, ...(one.type === "Average" ? { kwargs: { weights: one.weights } } : {}) }
  }
  return encode({ adapter_setup: block(composition), head_setup: null })
}

function shared({ hiddenSize, architecture, baseModel }: HubModel): Readonly<Record<string, unknown>> {
  return { hidden_size: hiddenSize, model_class: architecture, model_name: baseName(baseModel).name }
}

function encode(record: Readonly<Record<string, unknown>>): Uint8Array {
  const sorted = (value: unknown): unknown =>
    typeof value !== "object" || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => [k, sorted(v)]))
  const text = JSON.stringify(sorted({ ...record, version: VERSION }), null, 2)
  // AdapterHub recognises a factor by its type float, which Python reads only from a number with a point.
  return new TextEncoder().encode(`${text.replace(/("scaling": -?\d+)(?=,?\n)/, "$1.0")}\n`)
}

export interface HubAdapter {
  /** Its options, with its saved name. */
  readonly adapter: ResolvedAdapter
  /** Width of the model that it was trained for; absent if the file does not say. */
  readonly hiddenSize?: number
}

/** Reads `adapter_config.json`. Throws {@link AdapterHubError}. */
export function decodeAdapterConfig(bytes: Uint8Array, file: string): HubAdapter {
  return reading(file, () => {
    const reader = parse(bytes, file)
    const config = reader.object("config")
    const { architecture } = config.record
    if (architecture !== undefined && architecture !== null) {
      throw unsupported(file, `architecture ${JSON.stringify(architecture)} is no bottleneck adapter`)
    }
    const known = [...Object.keys(FIELDS), ...Object.keys(FIXED), ...Object.keys(IDLE)]
    const options: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(config.record)) {
      if (Object.hasOwn(FIELDS, name)) options[FIELDS[name as keyof typeof FIELDS]] = value
      else if (Object.hasOwn(FIXED, name)) {
        // Both null and false switch a part off.
        if (value !== FIXED[name] && value !== null && value !== false) {
          throw unsupported(file, `${name} ${JSON.stringify(value)} is not known here`)
        }
      } else if (!known.includes(name) && value !== null && value !== false) {
        // A disabled feature of later versions has no effect.
        throw unsupported(file, `the field ${name} is not known; the nearest is ${nearest(name, known)}`)
      }
    }
    if (!reader.has("version")) options.nonLinearity = OLD_NAMES[options.nonLinearity as string] ?? options.nonLinearity
    if (typeof options.nonLinearity === "string") options.nonLinearity = options.nonLinearity.toLowerCase()
    options.leaveOut ??= []
    for (const field of ["mh_adapter", "output_adapter", "reduction_factor", "non_linearity"]) {
      if (!config.has(field)) throw config.error(field, "given")
    }
    const base: AdapterOptions = { originalLnBefore: false, name: reader.string("name") }
    const hiddenSize = reader.optional("hidden_size", (name) => reader.integer(name))
    return {
      adapter: resolveAdapter({ ...base, ...options }, file),
      ...(hiddenSize === undefined ? {} : { hiddenSize }),
    }
  })
}

/** Fields of a fusion and their only supported values. */
const FUSION_FIXED: Readonly<Record<string, unknown>> = {
  key: true,
  query: true,
  query_before_ln: false,
  residual_before: false,
  temperature: false,
}

/** Reads `adapter_fusion_config.json`. Throws {@link AdapterHubError}. */
export function decodeFusionConfig(bytes: Uint8Array, file: string): ResolvedFusion {
  return reading(file, () => {
    const reader = parse(bytes, file)
    const config = reader.object("config")
    for (const [name, wanted] of Object.entries(FUSION_FIXED)) {
      if (config.record[name] !== wanted) {
        throw unsupported(file, `${name} ${JSON.stringify(config.record[name])} is not known here`)
      }
    }
    return {
      name: reader.string("name"),
      value: config.boolean("value"),
      regularization: config.boolean("regularization"),
      dropoutProb: config.number("dropout_prob", { default: 0, min: 0 }),
    }
  })
}

/** Reads `adapter_setup.json`: members are names, also in fusions. Throws {@link AdapterHubError}. */
export function decodeSetup(bytes: Uint8Array, file: string): Composition<string> {
  return reading(file, () => {
    const block = (reader: ConfigReader): Composition<string> => {
      const type = reader.string("type")
      const children = reader.record.children
      if (!Array.isArray(children) || children.length === 0) throw reader.error("children", "a list of blocks")
      if (type === "single") return { type, member: reader.strings("children")[0] }
      const inner = children.map((child, i) => block(new ConfigReader(`${reader.file}: ${type} ${i}`, child)))
      if (type === "Stack") return { type, children: inner }
      const members = inner.map((child) => {
        if (child.type === "single") return child.member
        throw unsupported(file, `${child.type} inside of ${type} is not known here`)
      })
      if (type === "Fuse") {
        return { type, members, fusion: { name: members.join(), value: true, regularization: true, dropoutProb: 0 } }
      }
      if (type !== "Average") throw unsupported(file, `the block ${type} is not known here`)
      const weights = reader.object("kwargs").record.weights
      const sum = Array.isArray(weights) ? weights.reduce((a, b) => a + b, 0) : NaN
      // AdapterHub saves them normalized, unless normalization was disabled.
      if (!(Math.abs(sum - 1) < 1e-6)) throw unsupported(file, "weights whose sum is not 1 are not known here")
      return { type, members, weights: weights as number[] }
    }
    return block(parse(bytes, file).object("adapter_setup"))
  })
}

function parse(bytes: Uint8Array, file: string): ConfigReader {
  return objectReader(parseJson(new TextDecoder().decode(bytes), file), file)
}

function unsupported(file: string, what: string): AdapterHubError {
  return new AdapterHubError({ reason: "Unsupported", file, message: `${file}: ${what}` })
}

function reading<A>(file: string, read: () => A): A {
  try {
    return read()
  } catch (error) {
    if (error instanceof JsonError || error instanceof PluginError) {
      throw new AdapterHubError({ reason: "Config", file, message: error.message })
    }
    throw error
  }
}
