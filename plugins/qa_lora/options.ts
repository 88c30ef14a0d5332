import * as field from "../../core/options/fields.ts"
import type { OptionTable, Resolved } from "../../core/options/field.ts"
import { type GroupPooling, type LoraOptions, options as LORA_OPTIONS } from "../lora/mod.ts"

/** Options of QA-LoRA: LoRA's where they fit, with the paper's defaults, and those of the groups. */
export interface QaLoraOptions extends
  Pick<
    LoraOptions,
    | "name"
    | "loraDropout"
    | "targetModules"
    | "excludeModules"
    | "useRslora"
    | "modulesToSave"
    | "rankPattern"
    | "alphaPattern"
    | "layersToTransform"
    | "layersPattern"
  > {
  /** Rank. Default 64. */
  readonly r?: number
  /** The update is scaled by `loraAlpha / r`. Default 16. */
  readonly loraAlpha?: number
  /** Inputs of a group: a multiple of the elements of the base's blocks, and a divisor of every width. Default 32. */
  readonly groupSize?: number
  /**
   * What A reads of a group of inputs x: `"sum"`, as algorithm 1 of the paper has it; `"mean"`, the sum divided by
   * `groupSize`, as the authors' code has it; or `"peft"`, the mean times the number of groups, as PEFT has it. The same
   * numbers are another function under each. Default `"sum"`: what is trained then is LoRA's update s B A, the same for all
   * inputs of a group, and its size hangs neither on the groups nor on the width of the layer.
   */
  readonly pooling?: GroupPooling
}

/** Options that say something by their absence. */
export type OptionWithoutDefault = "excludeModules" | "layersToTransform"

/** {@link QaLoraOptions} as a table. */
export const OPTIONS: OptionTable<QaLoraOptions, OptionWithoutDefault> = {
  name: LORA_OPTIONS.name,
  r: field.integer({ minimum: 1, default: 64, doc: "Rank r" }),
  loraAlpha: field.number({ not: { const: 0 }, default: 16, doc: "The update is scaled by loraAlpha / r" }),
  groupSize: field.integer({ minimum: 1, default: 32, doc: "Inputs of a group: a multiple of the base's blocks" }),
  pooling: field.choice(["sum", "mean", "peft"], {
    default: "sum",
    doc: "What A reads of a group: its sum (the paper), its mean, or PEFT's",
  }),
  loraDropout: LORA_OPTIONS.loraDropout,
  targetModules: field.anyOf([field.text({ pattern: "." }), field.list(field.text({}), { minItems: 1 })], {
    wanted: "a pattern, a list of names or all-linear",
    default: "all-linear",
    doc: "Modules to adapt",
  }),
  excludeModules: LORA_OPTIONS.excludeModules,
  useRslora: LORA_OPTIONS.useRslora,
  modulesToSave: LORA_OPTIONS.modulesToSave,
  rankPattern: LORA_OPTIONS.rankPattern,
  alphaPattern: LORA_OPTIONS.alphaPattern,
  layersToTransform: LORA_OPTIONS.layersToTransform,
  layersPattern: LORA_OPTIONS.layersPattern,
}

/** Options of an adapter, checked and with defaults filled in. */
export type ResolvedQaLora = Resolved<QaLoraOptions, OptionWithoutDefault>
