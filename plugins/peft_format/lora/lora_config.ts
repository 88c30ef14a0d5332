import { JsonError } from "../../../core/formats/json/json_error.ts"
import { parseJson } from "../../../core/formats/json/json_file.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { PeftError } from "../peft_error.ts"
import { PEFT_TASK_TYPES, type PeftTaskType } from "../task_type.ts"

/** `adapter_config.json` of a LoRA adapter: the fields that change what it computes. */
export interface PeftLoraConfig {
  /** `task_type`; absent for what PEFT has no name for. */
  readonly taskType?: PeftTaskType
  /** `base_model_name_or_path`; empty for none. */
  readonly baseModel: string
  /** Rank. */
  readonly r: number
  /** Numerator of the scale. */
  readonly loraAlpha: number
  /** Dropout on the update's input. */
  readonly loraDropout: number
  /** A regular expression of Python's, or names; absent where the model's family decides. */
  readonly targetModules?: string | ReadonlyArray<string>
  /** Modules left out, in the same way. */
  readonly excludeModules?: string | ReadonlyArray<string>
  /** Biases that train. */
  readonly bias: "none" | "all" | "lora_only"
  /** Whether the scale divides by the root of the rank. */
  readonly useRslora: boolean
  /** Modules that train whole. */
  readonly modulesToSave: ReadonlyArray<string>
  /** Rank by Python's expression for the end of a path. */
  readonly rankPattern: Readonly<Record<string, number>>
  /** Numerator of the scale by expression for the end of a path. */
  readonly alphaPattern: Readonly<Record<string, number>>
  /** Numbers of the layers. */
  readonly layersToTransform?: ReadonlyArray<number>
  /** Names of the list of layers. */
  readonly layersPattern?: ReadonlyArray<string>
  /**
   * How it started. With `"pissa"` and `"olora"` its numbers count from a base weight less what these name, which both
   * give again.
   */
  readonly initLoraWeights: boolean | "gaussian" | "orthogonal" | "pissa" | "olora"
  /** Whether the lengths of rows are trained apart. */
  readonly useDora: boolean
  /** Of a config that was read: whether PEFT tied what it adds at embeddings to what it adds at heads. */
  readonly ensureWeightTying?: boolean
  /** Of a config that was read: what a person should know of it. */
  readonly notes?: ReadonlyArray<string>
}

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
  "use_qalora",
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
  "qalora_group_size",
  "revision",
  "runtime_config",
]

/** Fields that are read. */
const READ: ReadonlyArray<string> = [
  "alpha_pattern",
  "base_model_name_or_path",
  "bias",
  "ensure_weight_tying",
  "exclude_modules",
  "init_lora_weights",
  "layers_pattern",
  "layers_to_transform",
  "lora_alpha",
  "lora_dropout",
  "modules_to_save",
  "peft_type",
  "r",
  "rank_pattern",
  "target_modules",
  "task_type",
  "use_dora",
  "use_rslora",
]

const INITIALIZATIONS = ["gaussian", "orthogonal", "pissa", "olora"] as const

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

/** The text that PEFT reads; only fields that its old versions know too. */
export function encodeLoraConfig(config: PeftLoraConfig): string {
  const sorted = (names: string | ReadonlyArray<string> | undefined) =>
    names === undefined || typeof names === "string" ? names ?? null : names.toSorted()
  const record: Record<string, unknown> = {
    alpha_pattern: config.alphaPattern,
    auto_mapping: null,
    base_model_name_or_path: config.baseModel === "" ? null : config.baseModel,
    bias: config.bias,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: config.initLoraWeights,
    layers_pattern: config.layersPattern ?? null,
    layers_to_transform: config.layersToTransform ?? null,
    lora_alpha: config.loraAlpha,
    lora_dropout: config.loraDropout,
    modules_to_save: config.modulesToSave.length === 0 ? null : sorted(config.modulesToSave),
    peft_type: "LORA",
    r: config.r,
    rank_pattern: config.rankPattern,
    revision: null,
    target_modules: sorted(config.targetModules),
    task_type: config.taskType ?? null,
    use_rslora: config.useRslora,
    // Unknown to old versions, so only where it is needed.
    ...(config.useDora ? { use_dora: true } : {}),
    ...(config.excludeModules === undefined ? {} : { exclude_modules: sorted(config.excludeModules) }),
  }
  const ordered = Object.fromEntries(Object.keys(record).sort().map((key) => [key, record[key]]))
  return `${JSON.stringify(ordered, null, 2)}\n`
}

/** Reads a config that PEFT or {@link encodeLoraConfig} wrote. Throws {@link PeftError}. */
export function decodeLoraConfig(text: string, file: string): PeftLoraConfig {
  try {
    const value = parseJson(text, file)
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new PeftError({ reason: "Config", file, message: `${file}: must hold a JSON object` })
    }
    return decode(new ConfigReader(file, value as Record<string, unknown>))
  } catch (error) {
    if (error instanceof JsonError) throw new PeftError({ reason: "Config", file, message: error.message })
    throw error
  }
}

function decode(config: ConfigReader): PeftLoraConfig {
  const { file, record } = config
  const unsupported = (name: string): never => {
    const message = `${file}: ${name} ${JSON.stringify(record[name])} is not known here; save the adapter without it`
    throw new PeftError({ reason: "Unsupported", file, message })
  }
  if (!config.has("peft_type") && config.has("config") && config.has("model_class")) {
    throw config.error("peft_type", '"LORA" (the file is of an AdapterHub adapter: load it with that plugin)')
  }
  if (config.string("peft_type") !== "LORA") {
    const message =
      `${file}: peft_type is ${JSON.stringify(record.peft_type)}, not "LORA"; load it with the plugin of ` +
      "its method"
    throw new PeftError({ reason: "Unsupported", file, message })
  }
  for (const name of MUST_BE_OFF) if (isOn(record[name])) unsupported(name)
  const notes: string[] = []
  const task = config.has("task_type") ? PEFT_TASK_TYPES.find((type) => type === record.task_type) : undefined
  if (config.has("task_type") && task === undefined) unsupported("task_type")
  const names = (name: string) =>
    typeof record[name] === "string" ? config.string(name) : config.optional(name, (n) => config.strings(n))
  const targetModules = names("target_modules")
  // PEFT passes over what is empty.
  const excludeModules = isOn(record.exclude_modules) && record.exclude_modules !== ""
    ? names("exclude_modules")
    : undefined
  const unknown = Object.keys(record).filter((name) =>
    isOn(record[name]) && ![...READ, ...IDLE, ...MUST_BE_OFF].includes(name)
  )
  for (const name of unknown) {
    notes.push(`${file}: the field ${name} ${JSON.stringify(record[name])} is not known here and is left alone`)
  }
  const initLoraWeights = startOf(config, notes)
  const layersToTransform = config.optional("layers_to_transform", (name) => layers(config, name))
  const layersPattern = config.optional(
    "layers_pattern",
    (name) => typeof record[name] === "string" ? [config.string(name)] : config.strings(name),
  )
  return {
    ...(task === undefined ? {} : { taskType: task }),
    baseModel: config.string("base_model_name_or_path", { default: "" }),
    r: config.integer("r", { default: 8 }),
    loraAlpha: config.number("lora_alpha", { default: 8 }),
    loraDropout: config.number("lora_dropout", { default: 0, min: 0 }),
    bias: config.string("bias", { default: "none", choices: ["none", "all", "lora_only"] }) as PeftLoraConfig["bias"],
    useRslora: config.boolean("use_rslora", { default: false }),
    modulesToSave: config.strings("modules_to_save", { default: [] }),
    rankPattern: pattern(config, "rank_pattern"),
    alphaPattern: pattern(config, "alpha_pattern"),
    initLoraWeights,
    useDora: config.boolean("use_dora", { default: false }),
    ...(targetModules === undefined ? {} : { targetModules }),
    ...(excludeModules === undefined ? {} : { excludeModules }),
    ...(layersToTransform === undefined ? {} : { layersToTransform }),
    ...(layersPattern === undefined || layersPattern.join("") === "" ? {} : { layersPattern }),
    ...(config.boolean("ensure_weight_tying", { default: false }) ? { ensureWeightTying: true } : {}),
    ...(notes.length === 0 ? {} : { notes }),
  }
}

/** How an adapter started, as far as it counts when it is read. */
function startOf(config: ConfigReader, notes: string[]): PeftLoraConfig["initLoraWeights"] {
  const { file, record } = config
  const init = config.has("init_lora_weights") ? record.init_lora_weights : true
  if (typeof init === "boolean") return init
  const known = INITIALIZATIONS.find((name) => name === init || name === String(init).toLowerCase())
  if (known !== undefined) return known
  const name = String(init).toLowerCase()
  if (Object.hasOwn(OVER, name)) {
    const note = OVER[name]
    if (note !== undefined) notes.push(`${file}: ${note}`)
    return true
  }
  // Others also change the base weights, in ways that a file without them does not give again: a random subspace, data.
  const why = LOST[name] ??
    (name.startsWith("pissa_niter")
      ? "its numbers count from a base weight less a subspace that was found with random numbers; save it with " +
        "path_initial_model_for_weight_conversion"
      : "save the adapter without it")
  const message = `${file}: init_lora_weights ${JSON.stringify(init)} is not known here: ${why}`
  throw new PeftError({ reason: "Unsupported", file, message })
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

function pattern(config: ConfigReader, name: string): Readonly<Record<string, number>> {
  const reader = config.optional(name, (n) => config.object(n))
  return reader === undefined
    ? {}
    : Object.fromEntries(Object.keys(reader.record).map((key) => [key, reader.number(key)]))
}
