import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { SitePlan } from "../../core/contracts/site.ts"
import type { GroupPooling, LoftqBase } from "../peft_format/mod.ts"

/** Another method with LoRA's options, its rules for modules, and its files. `Options`: LoRA's, resolved. */
export interface VariantOf<Options> {
  /** First part of the ids of its plugins. */
  readonly method: string
  /**
   * What it does at a Linear module in the place of LoRA's update; its parameters have LoRA's names. Throws PluginError on a
   * module that does not fit. Default: LoRA's update, also at Embedding modules.
   */
  readonly plan?: (options: Options, module: ModuleInfo) => SitePlan
  /** Settings of a run beside LoRA's. */
  readonly settings: object
  /** Its own fields of `adapter_config.json`, asked for when files are read and written. */
  readonly fields: () => VariantFields
}

/** Fields of `adapter_config.json` that LoRA itself leaves out. */
export interface VariantFields {
  /** `use_qalora`: A reads one number for each group of inputs. */
  readonly useQalora?: true
  /** `qalora_group_size`: inputs of a group. */
  readonly qaloraGroupSize?: number
  /** `qalora_pooling`, which PEFT does not know: what A reads of a group. */
  readonly qaloraPooling?: GroupPooling
  /** `loftq_base`, which PEFT does not know: the base that the numbers count from. */
  readonly loftq?: LoftqBase
  /** `init_lora_weights`, where that base is not the quantized one: PEFT refuses it without a `loftq_config`. */
  readonly initLoraWeights?: "loftq"
}
