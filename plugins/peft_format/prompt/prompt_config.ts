import { JsonError } from "../../../core/formats/json/json_error.ts"
import { parseJson } from "../../../core/formats/json/json_file.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { editDistance, nearest } from "../../../core/formats/json/nearest.ts"
import { PeftError } from "../peft_error.ts"
import { PEFT_TASK_TYPES, type PeftTaskType } from "../task_type.ts"

/** `adapter_config.json` of a method that puts virtual tokens before a sequence: what its types have in common. */
export interface PeftPromptFields {
  /** `task_type`; absent for what PEFT has no name for. */
  readonly taskType?: PeftTaskType
  /** `base_model_name_or_path`; empty for none. */
  readonly baseModel: string
  /** Number of virtual tokens. */
  readonly numVirtualTokens: number
  /**
   * Width of a virtual token: the model's; of a prefix the width of an attention's keys, so with grouped heads
   * `num_key_value_heads * head_dim`. Absent where the file leaves it to the model.
   */
  readonly tokenDim?: number
  /** Number of heads; of a prefix those of keys and values. Absent where the file leaves it to the model. */
  readonly numAttentionHeads?: number
  /** Number of layers. Absent where the file leaves it to the model. */
  readonly numLayers?: number
  /** Modules that train whole. */
  readonly modulesToSave: ReadonlyArray<string>
  /** Of a config that was read: what a person should know of it. */
  readonly notes?: ReadonlyArray<string>
}

/** Prefix tuning. */
export interface PeftPrefixTuningConfig extends PeftPromptFields {
  /** `peft_type`. */
  readonly peftType: "PREFIX_TUNING"
  /** Whether the prefix was trained through a network; the file holds what came out of it. */
  readonly prefixProjection: boolean
  /** Width inside that network. */
  readonly encoderHiddenSize?: number
  /** How it started: `"zero"`, or absent for noise. */
  readonly initWeights?: "zero"
}

/** Prompt tuning. */
export interface PeftPromptTuningConfig extends PeftPromptFields {
  /** `peft_type`. */
  readonly peftType: "PROMPT_TUNING"
  /** How it started. */
  readonly promptTuningInit: "RANDOM" | "SAMPLE_VOCAB" | "TEXT"
  /** The text that it started from. */
  readonly promptTuningInitText?: string
}

/** P-tuning. */
export interface PeftPTuningConfig extends PeftPromptFields {
  /** `peft_type`. */
  readonly peftType: "P_TUNING"
  /** The network that the prompt was trained through; the file holds what came out of it. */
  readonly encoderReparameterizationType: "MLP" | "LSTM"
  /** Width inside that network. */
  readonly encoderHiddenSize?: number
}

/** `adapter_config.json` of prefix tuning, prompt tuning or P-tuning. */
export type PeftPromptConfig = PeftPrefixTuningConfig | PeftPromptTuningConfig | PeftPTuningConfig

/** Fields of PEFT 0.21 that every method here has. */
const COMMON: ReadonlyArray<string> = [
  "auto_mapping",
  "base_model_name_or_path",
  "inference_mode",
  "modules_to_save",
  "num_attention_heads",
  "num_layers",
  "num_transformer_submodules",
  "num_virtual_tokens",
  "peft_type",
  "peft_version",
  "revision",
  "task_type",
  "token_dim",
]
/** Further fields by type. */
const OWN: Readonly<Record<PeftPromptConfig["peftType"], ReadonlyArray<string>>> = {
  PREFIX_TUNING: ["encoder_hidden_size", "init_weights", "prefix_projection"],
  PROMPT_TUNING: ["prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_kwargs", "tokenizer_name_or_path"],
  P_TUNING: ["encoder_dropout", "encoder_hidden_size", "encoder_num_layers", "encoder_reparameterization_type"],
}

/** The text that PEFT reads. */
export function encodePromptConfig(config: PeftPromptConfig): string {
  const baseModel = config.baseModel === "" ? null : config.baseModel
  const record: Record<string, unknown> = {
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    inference_mode: true,
    modules_to_save: config.modulesToSave.length === 0 ? null : config.modulesToSave.toSorted(),
    num_attention_heads: config.numAttentionHeads ?? null,
    num_layers: config.numLayers ?? null,
    num_transformer_submodules: 1,
    num_virtual_tokens: config.numVirtualTokens,
    peft_type: config.peftType,
    revision: null,
    task_type: config.taskType ?? null,
    token_dim: config.tokenDim ?? null,
    ...own(config, baseModel),
  }
  const ordered = Object.fromEntries(Object.keys(record).sort().map((key) => [key, record[key]]))
  return `${JSON.stringify(ordered, null, 2)}\n`
}

function own(config: PeftPromptConfig, baseModel: string | null): Readonly<Record<string, unknown>> {
  if (config.peftType === "PREFIX_TUNING") {
    return {
      encoder_hidden_size: config.encoderHiddenSize ?? null,
      prefix_projection: config.prefixProjection,
      // Unknown to old versions, so only where it is needed.
      ...(config.initWeights === undefined ? {} : { init_weights: config.initWeights }),
    }
  }
  if (config.peftType === "P_TUNING") {
    return {
      encoder_dropout: 0,
      encoder_hidden_size: config.encoderHiddenSize ?? null,
      encoder_num_layers: 2,
      encoder_reparameterization_type: config.encoderReparameterizationType,
    }
  }
  const text = config.promptTuningInitText
  // PEFT wants a text and a tokenizer's name with TEXT.
  const known = config.promptTuningInit !== "TEXT" || (text !== undefined && baseModel !== null)
  return {
    prompt_tuning_init: known ? config.promptTuningInit : "RANDOM",
    prompt_tuning_init_text: known ? text ?? null : null,
    tokenizer_name_or_path: config.promptTuningInit === "TEXT" ? baseModel : null,
  }
}

/**
 * Reads a config that PEFT or {@link encodePromptConfig} wrote. Throws {@link PeftError}; on a field that PEFT does not
 * have it names the nearest one.
 *
 * @param types Values of `peft_type` that are wanted.
 */
export function decodePromptConfig<Type extends PeftPromptConfig["peftType"]>(
  text: string,
  file: string,
  types: ReadonlyArray<Type>,
): Extract<PeftPromptConfig, { readonly peftType: Type }> {
  try {
    const value = parseJson(text, file)
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new PeftError({ reason: "Config", file, message: `${file}: must hold a JSON object` })
    }
    const config = new ConfigReader(file, value as Record<string, unknown>)
    const type = types.find((type) => type === config.string("peft_type"))
    if (type === undefined) {
      const message = `${file}: peft_type is ${JSON.stringify(config.record.peft_type)}, not ${types.join(" or ")}; ` +
        "load it with the plugin of its method"
      throw new PeftError({ reason: "Unsupported", file, message })
    }
    return decode(config, type) as Extract<PeftPromptConfig, { readonly peftType: Type }>
  } catch (error) {
    if (error instanceof JsonError) throw new PeftError({ reason: "Config", file, message: error.message })
    throw error
  }
}

function decode(config: ConfigReader, peftType: PeftPromptConfig["peftType"]): PeftPromptConfig {
  const { record } = config
  const notes = unknownFields(config, [...COMMON, ...OWN[peftType]])
  if (config.integer("num_transformer_submodules", { default: 1 }) !== 1) {
    throw config.error("num_transformer_submodules", "1: models of two parts are not known here")
  }
  const taskType = config.has("task_type") ? PEFT_TASK_TYPES.find((type) => type === record.task_type) : undefined
  if (config.has("task_type") && taskType === undefined) {
    throw config.error("task_type", `one of ${PEFT_TASK_TYPES.join(", ")}`)
  }
  const integer = (name: string) => config.optional(name, (name) => config.integer(name))
  const [tokenDim, numAttentionHeads, numLayers] = ["token_dim", "num_attention_heads", "num_layers"].map(integer)
  const common: PeftPromptFields = {
    baseModel: config.string("base_model_name_or_path", { default: "" }),
    numVirtualTokens: config.integer("num_virtual_tokens"),
    modulesToSave: config.strings("modules_to_save", { default: [] }),
    ...(taskType === undefined ? {} : { taskType }),
    ...(tokenDim === undefined ? {} : { tokenDim }),
    ...(numAttentionHeads === undefined ? {} : { numAttentionHeads }),
    ...(numLayers === undefined ? {} : { numLayers }),
    ...(notes.length === 0 ? {} : { notes }),
  }
  if (peftType === "PROMPT_TUNING") {
    const choices = ["RANDOM", "SAMPLE_VOCAB", "TEXT"] as const
    const init = config.string("prompt_tuning_init", { default: "RANDOM", choices })
    const text = config.optional("prompt_tuning_init_text", (name) => config.string(name))
    return {
      ...common,
      peftType,
      promptTuningInit: init as typeof choices[number],
      ...(text === undefined ? {} : { promptTuningInitText: text }),
    }
  }
  const encoderHiddenSize = integer("encoder_hidden_size")
  const encoder = encoderHiddenSize === undefined ? {} : { encoderHiddenSize }
  if (peftType === "P_TUNING") {
    const choices = ["MLP", "LSTM"] as const
    const type = config.string("encoder_reparameterization_type", { default: "MLP", choices })
    return { ...common, ...encoder, peftType, encoderReparameterizationType: type as typeof choices[number] }
  }
  const initWeights = config.optional("init_weights", (name) => config.string(name, { choices: ["zero"] }))
  return {
    ...common,
    ...encoder,
    peftType,
    prefixProjection: config.boolean("prefix_projection", { default: false }),
    ...(initWeights === undefined ? {} : { initWeights: "zero" }),
  }
}

/** Notes of fields that no version known here has. What looks like a slip, or is of another type's, is an error. */
function unknownFields({ file, record }: ConfigReader, known: ReadonlyArray<string>): ReadonlyArray<string> {
  const unknown = Object.keys(record).filter((name) => !known.includes(name))
  const others = Object.values(OWN).flat()
  const slip = unknown.find((name) =>
    others.includes(name) || editDistance(name, nearest(name, known)) <= name.length / 4
  )
  if (slip !== undefined) {
    const message = `${file}: unknown field "${slip}"; the nearest known one is "${nearest(slip, known)}"`
    throw new PeftError({ reason: "Config", file, message })
  }
  const on = unknown.filter((name) => record[name] !== null && record[name] !== false)
  return on.map((name) =>
    `${file}: the field ${name} ${JSON.stringify(record[name])} is not known here and is left alone`
  )
}
