import { demandOf, methodOptions } from "../../core/options/method_options.ts"
import * as field from "../../core/options/fields.ts"
import type { OptionTable } from "../../core/options/field.ts"
import { type LoraInitialization, type LoraOptions, options as LORA_OPTIONS } from "../lora/mod.ts"

/** Options of QLoRA: LoRA's, with the paper's defaults, and those of LoftQ. */
export interface QLoraOptions extends Omit<LoraOptions, "initLoraWeights"> {
  /** Rank. Default 64. */
  readonly r?: number
  /** The update is scaled by `loraAlpha / r`. Default 16. */
  readonly loraAlpha?: number
  /** Dropout on the input of the update: 0.1 in the paper up to 13B parameters, 0.05 from 33B on. Default 0.1. */
  readonly loraDropout?: number
  /** As in LoRA. Default `"all-linear"`. */
  readonly targetModules?: string | ReadonlyArray<string>
  /**
   * As in LoRA, or `"loftq"` (Li et al. 2024): A and B start as what the encoding took from the weights, W - Q, in the rank
   * that they have, so that the model begins nearer to the one that was not quantized. Linear modules that are quantized
   * while they are loaded; not with `useDora`. Default true.
   */
  readonly initLoraWeights?: LoraInitialization | "loftq"
  /**
   * Rounds of LoftQ: each quantizes W - B A anew, and decomposes what is left. After the first, the base's codes are no
   * longer those of the quantized W: saved adapters name the base that they count from, and `fromPeft` makes it again or
   * fails. PEFT takes 1, the paper 5. Default 1.
   */
  readonly loftqIterations?: number
}

/** Options that say something by their absence. */
export type OptionWithoutDefault = "excludeModules" | "layersToTransform"

/** {@link QLoraOptions} as a table. */
export const OPTIONS: OptionTable<QLoraOptions, OptionWithoutDefault> = {
  ...LORA_OPTIONS,
  r: field.integer({ minimum: 1, default: 64, doc: "LoRA rank r" }),
  loraAlpha: field.number({ not: { const: 0 }, default: 16, doc: "The update is scaled by loraAlpha / r" }),
  loraDropout: field.number({
    minimum: 0,
    exclusiveMaximum: 1,
    default: 0.1,
    doc: "Dropout on the input of the update; from 33B parameters on 0.05",
  }),
  targetModules: field.anyOf([field.text({ pattern: "." }), field.list(field.text({}), { minItems: 1 })], {
    wanted: "a pattern, a list of names or all-linear",
    default: "all-linear",
    doc: "Modules to adapt",
  }),
  initLoraWeights: field.anyOf([field.choice(["loftq"], {}), LORA_OPTIONS.initLoraWeights], {
    default: true,
    wanted: 'true, false, "loftq", "gaussian", "orthogonal", "pissa", "pissa_niter_N" or "olora"',
    doc: "How the update starts; true: at zero; loftq: as what quantization took",
  }),
  loftqIterations: field.integer({ minimum: 1, default: 1, doc: "Rounds of LoftQ" }),
}

/** LoRA's options, and the rounds of LoftQ where there are any. Throws PluginError on options that make no sense. */
export function resolveOptions(
  options: QLoraOptions,
): { readonly lora: LoraOptions; readonly iterations: number | undefined } {
  const { id, initLoraWeights, loftqIterations, ...rest } = methodOptions("lora", OPTIONS, options)
  const demand = demandOf(id)
  const loftq = initLoraWeights === "loftq"
  demand(
    loftq || options.loftqIterations === undefined,
    "initLoraWeights",
    '"loftq" with loftqIterations',
    initLoraWeights,
  )
  demand(!loftq || !rest.useDora, "useDora", 'false with initLoraWeights "loftq"', rest.useDora)
  return {
    lora: { ...rest, initLoraWeights: loftq ? true : initLoraWeights },
    iterations: loftq ? loftqIterations : undefined,
  }
}
