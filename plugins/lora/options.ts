import { readPattern } from "../../core/model/sites/selector.ts"
import * as field from "../../core/options/fields.ts"
import { demandOf, methodName, methodOptions } from "../../core/options/method_options.ts"
import type { OptionTable, Resolved } from "../../core/options/field.ts"
import type { VariantOf } from "./variant.ts"
import type { PeftTaskType } from "../peft_names/mod.ts"

/** Options of LoRA, with PEFT's meaning and defaults. */
export interface LoraOptions {
  /** Tells adapters of one model apart; the plugin's id is `lora/<name>`. Default `"default"`. */
  readonly name?: string
  /** Rank. Default 8. */
  readonly r?: number
  /** The update is scaled by `loraAlpha / r`. Default 8. */
  readonly loraAlpha?: number
  /** Dropout on the input of the update. Default 0. */
  readonly loraDropout?: number
  /**
   * Which Linear and Embedding modules: a regular expression for the whole path, as Python reads it (PEFT reads it in what
   * is saved), names (exact, or the end of a path after a dot), or `"all-linear"`. Default: what is usual for the model's
   * family.
   */
  readonly targetModules?: string | ReadonlyArray<string>
  /** Modules to leave out, by the same rules. Default: none. */
  readonly excludeModules?: string | ReadonlyArray<string>
  /** Biases that train: none, all of the model, or those of the targets. Default `"none"`. */
  readonly bias?: "none" | "all" | "lora_only"
  /** Scale by `loraAlpha / sqrt(r)` (Kalajdzievski 2023). Default false. */
  readonly useRslora?: boolean
  /**
   * Modules that train whole: all whose path ends in one of these texts, as PEFT reads them, so that `"norm"` takes
   * `input_layernorm` too. A classification head always does. Default: none.
   */
  readonly modulesToSave?: ReadonlyArray<string>
  /**
   * Whether what trains whole is the adapter's own, as in PEFT, and not the model's: several adapters with heads of their own
   * then fit one model, one at work at a time or one for each row of a batch. Linear modules only, and such an adapter
   * cannot be merged. Default false.
   */
  readonly ownModules?: boolean
  /** Rank by regular expression (Python's) for the end of a path; the first that matches counts. */
  readonly rankPattern?: Readonly<Record<string, number>>
  /** `loraAlpha` by regular expression, in the same way. */
  readonly alphaPattern?: Readonly<Record<string, number>>
  /** Numbers of the layers to adapt, where `targetModules` is not a text. Default: all. */
  readonly layersToTransform?: number | ReadonlyArray<number>
  /** Name of the list of layers, such as `"layers"`. Default: the first number in a path counts. */
  readonly layersPattern?: string | ReadonlyArray<string>
  /**
   * True: the update starts at zero, with a uniform A. `"gaussian"`: A is normal with standard deviation 1 / r. False:
   * B does not start at zero, so the update does something from the first step (for tests). `"orthogonal"`: neither A nor
   * B starts at zero, but B A does; the rank must be even. Default true.
   *
   * Others start from the base weight W, of Linear modules: `"pissa"` from its r greatest singular values (Meng et al.
   * 2024), `"pissa_niter_N"` from those that N rounds of subspace iteration find, sooner; `"olora"` from the first r
   * directions of its QR decomposition (Büyükakyüz 2024). What the adapter starts from is taken off its update instead
   * of off W: x W^T + s (B A - B0 A0) x. That is the same function, W stays as it is (in 16 bits too), and the files
   * hold a plain LoRA adapter of rank 2 r for the unchanged base, which PEFT's weight conversion also makes.
   */
  readonly initLoraWeights?: LoraInitialization
  /**
   * DoRA (Liu et al. 2024): the length of each row of W + B A is trained apart from its direction. Linear modules only.
   * Default false.
   */
  readonly useDora?: boolean
  /**
   * LoRA+ (Hayou et al. 2024): B, and DoRA's lengths, train at this multiple of the learning rate; at Linear modules. The
   * authors take 16. Default 1.
   */
  readonly loraPlusLrRatio?: number
}

/** How an adapter starts. */
export type LoraInitialization = boolean | "gaussian" | "orthogonal" | "pissa" | `pissa_niter_${number}` | "olora"

/** Options for which absence says something. */
export type OptionWithoutDefault = "targetModules" | "excludeModules" | "layersToTransform"

/** Options, checked and with defaults filled in. */
export interface ResolvedOptions
  extends Omit<Resolved<LoraOptions, OptionWithoutDefault>, "layersToTransform" | "layersPattern"> {
  /** Id of the plugin: `lora/<name>`. */
  readonly id: string
  /** As in {@link LoraOptions}. */
  readonly layersToTransform?: ReadonlyArray<number>
  /** As in {@link LoraOptions}. */
  readonly layersPattern: ReadonlyArray<string>
  /** What the files say that it was loaded from. */
  readonly origin?: Origin
  /** What stands in the place of LoRA's update at Linear modules. */
  readonly variant?: LoraVariant
}

/** Another method with LoRA's options, its rules for modules, and its files. */
export type LoraVariant = VariantOf<ResolvedOptions>

/** What the files of an adapter say beside its options. */
export interface Origin {
  /** First parts of the names of its tensors: those of an adapter that was made without a head lack the backbone's. */
  readonly parts: ReadonlyArray<string>
  /** Paths of the modules that they hold whole. */
  readonly whole: ReadonlyArray<string>
  /** Task that PEFT's config names. */
  readonly taskType?: PeftTaskType
  /** Whether PEFT tied what it added at embeddings to what it added at heads. */
  readonly ensureWeightTying?: boolean
  /** Their directory, where a tokenizer lies there too. */
  readonly tokenizer?: string
  /** What a person should know. */
  readonly notes: ReadonlyArray<string>
}

const modules = [field.text({ pattern: "." }), field.list(field.text({}), { minItems: 1 })] as const
const MODULES = { wanted: "a pattern, a list of names or all-linear" } as const
const layer = field.integer({ minimum: 0 })
const alpha = field.number({ not: { const: 0 } })

/** {@link LoraOptions} as a table. */
export const OPTIONS: OptionTable<LoraOptions, OptionWithoutDefault> = {
  name: methodName,
  r: field.integer({ minimum: 1, default: 8, doc: "LoRA rank r" }),
  loraAlpha: field.number({ not: { const: 0 }, default: 8, doc: "The update is scaled by loraAlpha / r" }),
  loraDropout: field.number({ minimum: 0, exclusiveMaximum: 1, default: 0, doc: "Dropout on the input of the update" }),
  targetModules: field.anyOf(modules, { ...MODULES, absent: "the family's default", doc: "Modules to adapt" }),
  excludeModules: field.anyOf(modules, { ...MODULES, absent: "none", doc: "Modules to leave out" }),
  bias: field.choice(["none", "all", "lora_only"], { default: "none", doc: "Biases that train" }),
  useRslora: field.boolean({ default: false, doc: "Scale by loraAlpha / sqrt(r)" }),
  modulesToSave: field.list(field.text({}), {
    default: [],
    absent: "none",
    doc: "Modules that train whole, beside a classifier's head",
  }),
  ownModules: field.boolean({ default: false, doc: "Modules that train whole belong to the adapter, as in PEFT" }),
  rankPattern: field.byName(field.integer({ minimum: 1 }), {
    default: {},
    absent: "none",
    doc: "Rank by regular expression for the end of a path",
  }),
  alphaPattern: field.byName(alpha, {
    default: {},
    absent: "none",
    doc: "loraAlpha by regular expression for the end of a path",
  }),
  layersToTransform: field.anyOf([layer, field.list(layer, {})], {
    absent: "all",
    doc: "Numbers of the layers to adapt",
  }),
  layersPattern: field.anyOf([field.text({}), field.list(field.text({}), {})], {
    default: [],
    absent: "the first number in a path counts",
    doc: "Name of the list of layers",
  }),
  initLoraWeights: field.anyOf([
    field.boolean({}),
    field.choice(["gaussian", "orthogonal", "pissa", "olora"], {}),
    field.text<`pissa_niter_${number}`>({ pattern: "^pissa_niter_[1-9]\\d{0,3}$", wanted: '"pissa_niter_N"' }),
  ], {
    default: true,
    wanted: 'true, false, "gaussian", "orthogonal", "pissa", "pissa_niter_N" or "olora"',
    doc: "How the update starts; true: at zero",
  }),
  useDora: field.boolean({ default: false, doc: "DoRA: row lengths train apart from directions" }),
  loraPlusLrRatio: field.number({ exclusiveMinimum: 0, default: 1, doc: "LoRA+: multiple of the learning rate for B" }),
}

/** The same for an adapter from files, which may hold a factor of 0 though it cannot be trained. */
const STORED: typeof OPTIONS = {
  ...OPTIONS,
  loraAlpha: field.number({ default: 8 }),
  alphaPattern: field.byName(field.number({}), { default: {} }),
}

/**
 * Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense.
 *
 * @param origin What the files of an adapter say, if it comes from some.
 */
export function resolveOptions(options: LoraOptions, origin?: Origin, variant?: LoraVariant): ResolvedOptions {
  const { layersToTransform: given = [], layersPattern: lists, ...resolved } = methodOptions(
    variant?.method ?? "lora",
    origin === undefined ? OPTIONS : STORED,
    options,
  )
  const { id, targetModules, rankPattern, alphaPattern, modulesToSave } = resolved
  for (const pattern of [...Object.keys(rankPattern), ...Object.keys(alphaPattern)]) readPattern(pattern, id, AT_END)
  for (const name of modulesToSave) readPattern(name, id, WITHIN)
  const layersToTransform = typeof given === "number" ? [given] : given
  const named = layersToTransform.length === 0 || typeof targetModules !== "string"
  demandOf(id)(named, "targetModules", "a list where layersToTransform is given", targetModules)
  const layersPattern = typeof lists === "string" ? [lists] : lists
  for (const name of layersPattern) readPattern(name, id, OF_LAYERS)
  return {
    ...resolved,
    layersPattern,
    ...(layersToTransform.length === 0 ? {} : { layersToTransform }),
    ...(origin === undefined ? {} : { origin }),
    ...(variant === undefined ? {} : { variant }),
  }
}

/** What PEFT puts around a pattern of `rank_pattern` and `alpha_pattern`. */
export const AT_END: readonly [string, string] = ["(.*\\.)?(", ")$"]
/** Around one of `layers_pattern`. */
export const OF_LAYERS: readonly [string, string] = ["(?:^|.*?\\.)", "\\.(?P<idx>\\d+)\\."]
/** Around a name of `modules_to_save`, for what is left out of the targets. */
export const WITHIN: readonly [string, string] = ["(^|.*\\.)", "($|\\..*)"]

export function startsFromBase({ initLoraWeights }: ResolvedOptions): boolean {
  return typeof initLoraWeights === "string" && !["gaussian", "orthogonal"].includes(initLoraWeights)
}
