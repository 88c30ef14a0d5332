/**
 * `adapter_config.json` of methods that put virtual tokens before a sequence.
 * @module
 */
import type { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { editDistance, nearest } from "../../../core/formats/json/nearest.ts"
import {
  field,
  optional,
  type PeftValues,
  readConfigText,
  readFields,
  readType,
  SHARED_FIELDS,
  unknownField,
  writeFields,
} from "../config_table.ts"
import { baseName, peftError } from "../../peft_names/mod.ts"

const integer = (stored: string) => optional(stored, (config, name) => config.integer(name))
function choice<const Choice extends string>(stored: string, usual: Choice, ...others: ReadonlyArray<Choice>) {
  const choices = [usual, ...others]
  return field(stored, (config, name) => config.string(name, { default: usual, choices }) as Choice)
}

const COMMON = {
  ...SHARED_FIELDS,
  numVirtualTokens: field("num_virtual_tokens", (config, name) => config.integer(name)),
  /**
   * Width of a virtual token: the model's; of a prefix the width of an attention's keys, so with grouped heads
   * `num_key_value_heads * head_dim`. Absent where the file leaves it to the model, as are the next two.
   */
  tokenDim: integer("token_dim"),
  /** Number of heads; of a prefix those of keys and values. */
  numAttentionHeads: integer("num_attention_heads"),
  numLayers: integer("num_layers"),
}
const TEXT = optional("prompt_tuning_init_text", (config, name) => config.string(name))
/** Starts of multitask prompt tuning that PEFT reads from the files of another run. */
const SOURCES = ["AVERAGE_SOURCE_TASKS", "EXACT_SOURCE_TASK", "ONLY_SOURCE_SHARED"] as const
/** Field of the names of tasks. */
export const PROMPT_TASKS = "espalier_tasks"
const SUBMODULES = "num_transformer_submodules"
/** PEFT's task of encoder-decoder models. */
export const SEQ2SEQ = "SEQ_2_SEQ_LM"
/** Further fields by `peft_type`. The file holds what comes out of a network that the tokens were trained through. */
const OWN = {
  PREFIX_TUNING: {
    prefixProjection: field("prefix_projection", (config, name) => config.boolean(name, { default: false })),
    encoderHiddenSize: integer("encoder_hidden_size"),
    /** Absent for noise. Old versions of PEFT do not know it. */
    initWeights: optional<"zero">(
      "init_weights",
      (config, name) => config.string(name, { choices: ["zero"] }) as "zero",
      (value) => value,
    ),
  },
  PROMPT_TUNING: {
    promptTuningInit: choice("prompt_tuning_init", "RANDOM", "SAMPLE_VOCAB", "TEXT"),
    promptTuningInitText: TEXT,
  },
  MULTITASK_PROMPT_TUNING: {
    promptTuningInit: choice("prompt_tuning_init", "RANDOM", "TEXT", ...SOURCES),
    promptTuningInitText: TEXT,
    numTasks: field("num_tasks", (config, name) => config.integer(name, { default: 1 })),
    numRanks: field("num_ranks", (config, name) => config.integer(name, { default: 1 })),
    /** Names of the tasks by PEFT's ids; PEFT passes over the field. */
    tasks: optional(PROMPT_TASKS, (config, name) => config.strings(name), (names) => names),
  },
  P_TUNING: {
    encoderReparameterizationType: choice("encoder_reparameterization_type", "MLP", "LSTM"),
    encoderHiddenSize: integer("encoder_hidden_size"),
  },
}
/** Fields that are written and not read, or passed over. */
const COMMON_IDLE: ReadonlyArray<string> = ["auto_mapping", "inference_mode", "peft_type", "peft_version", "revision"]
const IDLE: Readonly<Record<PromptType, ReadonlyArray<string>>> = {
  PREFIX_TUNING: [],
  PROMPT_TUNING: ["tokenizer_kwargs", "tokenizer_name_or_path"],
  P_TUNING: ["encoder_dropout", "encoder_num_layers"],
  MULTITASK_PROMPT_TUNING: [
    "prompt_tuning_init_state_dict_path",
    "prompt_tuning_init_task",
    "tokenizer_kwargs",
    "tokenizer_name_or_path",
  ],
}

export type PromptType = keyof typeof OWN
/** What all types have in common. */
export type PeftPromptFields = PeftValues<typeof COMMON>
/** The config of a type, and of one that was read what a person should know of it. */
export type PeftPromptConfig<Type extends PromptType = PromptType> = Type extends PromptType
  ? PeftPromptFields & PeftValues<typeof OWN[Type]> & {
    readonly peftType: Type
    /** Rows of the embeddings after those of the virtual tokens, which play no part. Default 0. */
    readonly idleRows?: number
    readonly notes?: ReadonlyArray<string>
  }
  : never

const namesOf = (fields: Readonly<Record<string, { readonly stored: string }>>): ReadonlyArray<string> =>
  Object.values(fields).map(({ stored }) => stored)

/** The text that PEFT reads. */
export function encodePromptConfig(config: PeftPromptConfig): string {
  const { peftType, taskType } = config
  const others = { peft_type: peftType, [SUBMODULES]: taskType === SEQ2SEQ && peftType === "PREFIX_TUNING" ? 2 : 1 }
  if (peftType === "PREFIX_TUNING") return writeFields({ ...COMMON, ...OWN[peftType] }, config, others)
  if (peftType === "P_TUNING") {
    const network = { encoder_dropout: 0, encoder_num_layers: 2 }
    return writeFields({ ...COMMON, ...OWN[peftType] }, config, { ...others, ...network })
  }
  const { baseModel, promptTuningInit, promptTuningInitText, ...rest } = config
  // PEFT wants a text and a tokenizer's name with TEXT, and to read the files of a source again.
  const isSource = SOURCES.some((source) => source === promptTuningInit)
  const known = promptTuningInit === "TEXT" ? promptTuningInitText !== undefined && baseModel !== "" : !isSource
  const start = known && promptTuningInitText !== undefined ? { promptTuningInitText } : {}
  return writeFields(
    { ...COMMON, ...OWN[peftType] },
    { ...rest, ...start, baseModel, promptTuningInit: known ? promptTuningInit : "RANDOM" },
    { ...others, tokenizer_name_or_path: promptTuningInit === "TEXT" ? baseName(baseModel).name : null },
  )
}

/**
 * Reads a config that PEFT or {@link encodePromptConfig} wrote. Throws {@link PeftError}; on a field that PEFT does not
 * have it names the nearest one.
 *
 * @param types Values of `peft_type` that are wanted.
 */
export function decodePromptConfig<Type extends PromptType>(
  text: string,
  file: string,
  types: ReadonlyArray<Type>,
): PeftPromptConfig<Type> {
  return readConfigText(text, file, (config) => {
    const peftType = readType(config, types)
    const fields = { ...COMMON, ...OWN[peftType] }
    const notes = unknownFields(config, [...namesOf(fields), ...COMMON_IDLE, SUBMODULES, ...IDLE[peftType]])
    const { taskType, numVirtualTokens } = readFields(COMMON, config)
    const most = taskType === SEQ2SEQ ? 2 : 1
    const submodules = config.integer(SUBMODULES, { default: most })
    if (submodules > most) throw config.error(SUBMODULES, `${most}, of a model for ${taskType ?? "no task"}`)
    // The rows after the encoder's are for a decoder, which reads none in these types.
    const idle = submodules === 2 && peftType !== "PREFIX_TUNING" ? { idleRows: numVirtualTokens } : {}
    const values = { ...readFields(fields, config), peftType, ...idle, ...(notes.length === 0 ? {} : { notes }) }
    return values as unknown as PeftPromptConfig<Type>
  })
}

/** Notes of fields that no version known here has. What looks like a slip, or is of another type's, is an error. */
function unknownFields(config: ConfigReader, known: ReadonlyArray<string>): ReadonlyArray<string> {
  const { file, record } = config
  const unknown = Object.keys(record).filter((name) => !known.includes(name))
  const others = [...Object.values(OWN).flatMap(namesOf), ...Object.values(IDLE).flat()]
  const slip = unknown.find((name) =>
    others.includes(name) || editDistance(name, nearest(name, known)) <= name.length / 4
  )
  if (slip !== undefined) {
    throw peftError("Config", file, `unknown field "${slip}"; the nearest known one is "${nearest(slip, known)}"`)
  }
  const on = unknown.filter((name) => record[name] !== null && record[name] !== false)
  return on.map((name) => unknownField(config, name))
}
