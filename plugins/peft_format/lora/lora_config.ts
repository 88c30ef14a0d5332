/**
 * `adapter_config.json` of a LoRA adapter: the fields that change what it computes, by LoRA's names of options.
 * @module
 */
import type { ConfigReader } from "../../../core/formats/json/model_config.ts"
import {
  field,
  optional,
  type PeftValues,
  readConfigText,
  readFields,
  readType,
  SHARED_FIELDS,
  sorted,
  unknownField,
  writeFields,
} from "../config_table.ts"
import { peftError } from "../../peft_names/mod.ts"

/** A regular expression of Python's, or names. */
type Names = string | ReadonlyArray<string>
type Bias = "none" | "all" | "lora_only"
/** How it started. With `"pissa"` and `"olora"` its numbers count from a base weight less what these name. */
type LoraStart = boolean | typeof INITIALIZATIONS[number]

const names = (config: ConfigReader, name: string): Names =>
  typeof config.record[name] === "string" ? config.string(name) : config.strings(name)
/** Fields that old versions do not know are written only where they are on. */
const whereOn = <T>(value: T | undefined) => value === undefined || value === false ? undefined : sorted(value as never)
const boolean = (stored: string) => field(stored, (config, name) => config.boolean(name, { default: false }))
const pattern = (stored: string) =>
  field(stored, (config, name): Readonly<Record<string, number>> => {
    const reader = config.optional(name, (name) => config.object(name))
    const keys = Object.keys(reader?.record ?? {})
    return Object.fromEntries(keys.map((key) => [key, reader!.number(key)]))
  })

/** The base that an adapter which started by LoftQ counts from. */
export type LoftqBase = {
  /** Rounds of quantizing and decomposing. After one, codes are those of the quantized base. */
  readonly iterations: number
  /** Encoding of its weights. */
  readonly encoding: string
  /** SHA-256 of its adapted weights, where they are not those of the quantized base. */
  readonly sha256?: string
}

/**
 * What A reads of a group of inputs: their sum (Xu et al. 2024, algorithm 1), their mean (the authors' code), or their mean
 * times the number of groups (PEFT).
 */
export type GroupPooling = "sum" | "mean" | "peft"
const POOLINGS: ReadonlyArray<GroupPooling> = ["sum", "mean", "peft"]

const INITIALIZATIONS = ["gaussian", "orthogonal", "pissa", "olora", "loftq"] as const

const FIELDS = {
  ...SHARED_FIELDS,
  /** Absent where the model's family decides. */
  targetModules: optional("target_modules", names, sorted),
  // PEFT passes over what is empty.
  excludeModules: field<Names | undefined>(
    "exclude_modules",
    (config, name) => isOn(config.record[name]) && config.record[name] !== "" ? names(config, name) : undefined,
    whereOn,
  ),
  initLoraWeights: field<LoraStart>("init_lora_weights", startOf),
  layersToTransform: optional("layers_to_transform", layers),
  layersPattern: field<ReadonlyArray<string> | undefined>("layers_pattern", (config, name) => {
    const list = config.optional(name, (name) => [names(config, name)].flat())
    return list?.join("") === "" ? undefined : list
  }, (list = []) => list.length === 0 ? null : list),
  r: field("r", (config, name) => config.integer(name, { default: 8 })),
  loraAlpha: field("lora_alpha", (config, name) => config.number(name, { default: 8 })),
  loraDropout: field("lora_dropout", (config, name) => config.number(name, { default: 0, min: 0 })),
  bias: field(
    "bias",
    (config, name) => config.string(name, { default: "none", choices: ["none", "all", "lora_only"] }) as Bias,
  ),
  useRslora: boolean("use_rslora"),
  rankPattern: pattern("rank_pattern"),
  alphaPattern: pattern("alpha_pattern"),
  /** Whether the lengths of rows are trained apart. */
  useDora: { ...boolean("use_dora"), write: whereOn },
  /** Whether A reads sums of groups of inputs. */
  useQalora: field<true | undefined>(
    "use_qalora",
    (config, name) => config.boolean(name, { default: false }) || undefined,
    whereOn,
  ),
  /** Inputs of a group. Absent unless `use_qalora` is on. */
  qaloraGroupSize: field<number | undefined>(
    "qalora_group_size",
    (config, name) => isOn(config.record.use_qalora) ? config.integer(name, { default: 16, min: 1 }) : undefined,
    (size) => size,
  ),
  /** What A reads of a group; PEFT does not know the field. Absent where a file does not say it. */
  qaloraPooling: field<GroupPooling | undefined>("qalora_pooling", poolingOf, (pooling) => pooling),
  /** Of an adapter that started by LoftQ: the base that its numbers count from. PEFT does not know the field. */
  loftq: field<LoftqBase | undefined>("loftq_base", loftqOf, (base) => base),
  /** Of a config that was read: whether PEFT tied what it adds at embeddings to what it adds at heads. */
  ensureWeightTying: field<true | undefined>(
    "ensure_weight_tying",
    (config, name) => config.boolean(name, { default: false }) || undefined,
    () => undefined,
  ),
}
const READ: ReadonlyArray<string> = ["peft_type", ...Object.values(FIELDS).map(({ stored }) => stored)]

/** {@link FIELDS}, and of a config that was read what a person should know of it. */
export type PeftLoraConfig = PeftValues<typeof FIELDS> & { readonly notes?: ReadonlyArray<string> }

/** Fields that change the adapter's meaning in ways that are not known here: any value that is on is an error. */
const MUST_BE_OFF: ReadonlyArray<string> = [
  "alora_invocation_tokens",
  "arrow_config",
  "enable_lora",
  "kasa_config",
  "layer_replication",
  "lora_bias",
  "megatron_config",
  "monteclora_config",
  "target_parameters",
  "trainable_token_indices",
  "use_bdlora",
  "velora_config",
]

/**
 * Fields of PEFT 0.21.2 and older ones that say nothing of what a saved adapter computes: bookkeeping, settings of a start
 * that is over, and what counts with a field of {@link MUST_BE_OFF} alone. `fan_in_fan_out` is for weights that are stored
 * transposed; at Linear modules PEFT passes over it.
 */
const IDLE: ReadonlyArray<string> = [
  "auto_mapping",
  "corda_config",
  "eva_config",
  "fan_in_fan_out",
  "inference_mode",
  "loftq_config",
  "lora_ga_config",
  "megatron_core",
  "merge_weights",
  "peft_version",
  "revision",
  "runtime_config",
]

/** Starts that leave the base as it is, and are over when an adapter is saved; with what PEFT does otherwise afterwards. */
const OVER: Readonly<Record<string, string | undefined>> = {
  eva: undefined,
  mica: 'PEFT trains A alone where a start is "mica"; here both train on',
  lora_ga:
    'it started by "lora_ga", which changed the base weights while it trained; PEFT and Espalier read it beside ' +
    "weights that are not changed: if it was not converted when it was saved, it is another function there",
}

/** Why the other starts cannot be read. */
const LOST: Readonly<Record<string, string>> = {
  corda:
    "its numbers count from a base weight less what data decided, which PEFT cannot make again either; save it with " +
    "path_initial_model_for_weight_conversion",
  loftq:
    "its numbers count from base weights that PEFT rounds to few bits when it loads the adapter; take the base model " +
    "that was saved with it, and init_lora_weights true",
}

/**
 * The text that PEFT reads; only fields that its old versions know too.
 *
 * @param transposed Whether files of the base hold weights that are adapted with their axes swapped.
 */
export function encodeLoraConfig(config: PeftLoraConfig, transposed = false): string {
  return writeFields(FIELDS, config, { fan_in_fan_out: transposed, peft_type: "LORA" })
}

/** Reads a config that PEFT or {@link encodeLoraConfig} wrote. Throws {@link PeftError}. */
export function decodeLoraConfig(text: string, file: string): PeftLoraConfig {
  return readConfigText(text, file, (config) => {
    const { record } = config
    if (!config.has("peft_type") && config.has("config") && config.has("model_class")) {
      throw config.error("peft_type", '"LORA" (the file is of an AdapterHub adapter: load it with that plugin)')
    }
    readType(config, ["LORA"])
    const on = Object.keys(record).filter((name) => isOn(record[name]))
    const refused = on.find((name) => MUST_BE_OFF.includes(name))
    if (refused !== undefined) {
      throw peftError(
        "Unsupported",
        file,
        `${refused} ${JSON.stringify(record[refused])} is not known here; save the adapter without it`,
      )
    }
    const values = readFields(FIELDS, config)
    const over = OVER[String(record.init_lora_weights).toLowerCase()]
    const notes = [
      ...on.filter((name) => ![...READ, ...IDLE].includes(name)).map((name) => unknownField(config, name)),
      ...(over === undefined ? [] : [`${file}: ${over}`]),
    ]
    return notes.length === 0 ? values : { ...values, notes }
  })
}

/** What A reads of a group: as the file says, or as PEFT has it where that wrote the file. */
function poolingOf(config: ConfigReader, name: string): GroupPooling | undefined {
  const { record } = config
  if (!isOn(record.use_qalora)) return undefined
  if (record[name] === undefined) return record.peft_version === undefined ? undefined : "peft"
  return config.string(name, { choices: POOLINGS }) as GroupPooling
}

function loftqOf(config: ConfigReader, name: string): LoftqBase | undefined {
  const base = config.optional(name, (name) => config.object(name))
  if (base === undefined) return undefined
  const sha256 = base.optional("sha256", (name) => base.string(name))
  return {
    iterations: base.integer("iterations"),
    encoding: base.string("encoding"),
    ...(sha256 === undefined ? {} : { sha256 }),
  }
}

/** How an adapter started, as far as it counts when it is read. */
function startOf(config: ConfigReader): LoraStart {
  const { file, record } = config
  const init = config.has("init_lora_weights") ? record.init_lora_weights : true
  if (typeof init === "boolean") return init
  const name = String(init).toLowerCase()
  const known = INITIALIZATIONS.find((each) => each === name)
  if (known !== undefined && (known !== "loftq" || config.has("loftq_base"))) return known
  if (Object.hasOwn(OVER, name)) return true
  // Others also change the base weights, in ways that a file without them does not give again: a random subspace, data.
  const why = LOST[name] ??
    (name.startsWith("pissa_niter")
      ? "its numbers count from a base weight less a subspace that was found with random numbers; save it with " +
        "path_initial_model_for_weight_conversion"
      : "save the adapter without it")
  throw peftError("Unsupported", file, `init_lora_weights ${JSON.stringify(init)} is not known here: ${why}`)
}

function isOn(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0
  return value !== undefined && value !== null && value !== false
}

function layers(config: ConfigReader, name: string): ReadonlyArray<number> {
  const value = config.record[name]
  const list = Array.isArray(value) ? value : [value]
  if (!list.every((layer) => Number.isSafeInteger(layer) && layer >= 0)) {
    throw config.error(name, "a layer or a list of layers")
  }
  return list
}
