import { readPattern } from "../../core/model/selector.ts"
import { checkOptions, type PeftTaskType } from "../peft_format/mod.ts"

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

/** Options, checked and with defaults filled in. */
export interface ResolvedOptions extends Required<Omit<LoraOptions, OptionWithoutDefault | "layersPattern">> {
  /** Id of the plugin: `lora/<name>`. */
  readonly id: string
  /** As in {@link LoraOptions}. */
  readonly targetModules?: string | ReadonlyArray<string>
  /** As in {@link LoraOptions}. */
  readonly excludeModules?: string | ReadonlyArray<string>
  /** As in {@link LoraOptions}. */
  readonly layersToTransform?: ReadonlyArray<number>
  /** As in {@link LoraOptions}. */
  readonly layersPattern: ReadonlyArray<string>
  /** What the files say that it was loaded from. */
  readonly origin?: Origin
}

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

/** Options for which absence says something. */
export type OptionWithoutDefault = "targetModules" | "excludeModules" | "layersToTransform"

const KNOWN: ReadonlyArray<keyof LoraOptions> = [
  "name",
  "r",
  "loraAlpha",
  "loraDropout",
  "targetModules",
  "excludeModules",
  "bias",
  "useRslora",
  "modulesToSave",
  "ownModules",
  "rankPattern",
  "alphaPattern",
  "layersToTransform",
  "layersPattern",
  "initLoraWeights",
  "useDora",
  "loraPlusLrRatio",
]

/**
 * Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense.
 *
 * @param origin Of an adapter from files: a factor of 0, which cannot be trained, is taken as it is there.
 */
export function resolveOptions(options: LoraOptions, origin?: Origin): ResolvedOptions {
  const { demand } = checkOptions("lora", options, KNOWN)
  const {
    name = "default",
    r = 8,
    loraAlpha = 8,
    loraDropout = 0,
    targetModules,
    excludeModules,
    bias = "none",
    useRslora = false,
    modulesToSave = [],
    ownModules = false,
    rankPattern = {},
    alphaPattern = {},
    layersToTransform,
    layersPattern = [],
    initLoraWeights = true,
    useDora = false,
    loraPlusLrRatio = 1,
  } = options
  const id = `lora/${name}`
  const isRank = (value: number) => Number.isSafeInteger(value) && value > 0
  const isAlpha = (value: number) => Number.isFinite(value) && (value !== 0 || origin !== undefined)
  demand(isRank(r), "r", "a positive integer", r)
  demand(isAlpha(loraAlpha), "loraAlpha", "a finite number other than 0", loraAlpha)
  demand(loraDropout >= 0 && loraDropout < 1, "loraDropout", "at least 0 and below 1", loraDropout)
  demand(["none", "all", "lora_only"].includes(bias), "bias", '"none", "all" or "lora_only"', bias)
  demand(
    typeof initLoraWeights === "boolean" ||
      /^(gaussian|orthogonal|pissa|pissa_niter_[1-9]\d{0,3}|olora)$/.test(initLoraWeights),
    "initLoraWeights",
    'true, false, "gaussian", "orthogonal", "pissa", "pissa_niter_N" or "olora"',
    initLoraWeights,
  )
  demand(typeof ownModules === "boolean", "ownModules", "true or false", ownModules)
  demand(typeof useDora === "boolean", "useDora", "true or false", useDora)
  demand(
    Number.isFinite(loraPlusLrRatio) && loraPlusLrRatio > 0,
    "loraPlusLrRatio",
    "a finite number above 0",
    loraPlusLrRatio,
  )
  for (const [option, value] of [["targetModules", targetModules], ["excludeModules", excludeModules]] as const) {
    demand(value === undefined || value.length > 0, option, "a pattern or a list of names", value)
  }
  for (const [pattern, rank] of Object.entries(rankPattern)) {
    demand(isRank(rank), `rankPattern["${pattern}"]`, "a positive integer", rank)
  }
  for (const [pattern, alpha] of Object.entries(alphaPattern)) {
    demand(isAlpha(alpha), `alphaPattern["${pattern}"]`, "a finite number other than 0", alpha)
  }
  for (const pattern of [...Object.keys(rankPattern), ...Object.keys(alphaPattern)]) readPattern(pattern, id, AT_END)
  for (const name of modulesToSave) readPattern(name, id, WITHIN)
  const layers = typeof layersToTransform === "number" ? [layersToTransform] : layersToTransform
  if (layers !== undefined && layers.length > 0) {
    demand(
      layers.every((layer) => Number.isSafeInteger(layer) && layer >= 0),
      "layersToTransform",
      "layers' numbers",
      layers,
    )
    demand(typeof targetModules !== "string", "targetModules", "a list where layersToTransform is given", targetModules)
  }
  const places = typeof layersPattern === "string" ? [layersPattern] : layersPattern
  for (const place of places) readPattern(place, id, OF_LAYERS)
  return {
    id,
    name,
    r,
    loraAlpha,
    loraDropout,
    bias,
    useRslora,
    modulesToSave,
    ownModules,
    rankPattern,
    alphaPattern,
    layersPattern: places,
    initLoraWeights,
    useDora,
    loraPlusLrRatio,
    ...(targetModules === undefined ? {} : { targetModules }),
    ...(excludeModules === undefined ? {} : { excludeModules }),
    ...(layers === undefined || layers.length === 0 ? {} : { layersToTransform: layers }),
    ...(origin === undefined ? {} : { origin }),
  }
}

/** What PEFT puts around a pattern of `rank_pattern` and `alpha_pattern`. */
export const AT_END: readonly [string, string] = ["(.*\\.)?(", ")$"]
/** Around one of `layers_pattern`. */
export const OF_LAYERS: readonly [string, string] = ["(?:^|.*?\\.)", "\\.(?P<idx>\\d+)\\."]
/** Around a name of `modules_to_save`, for what is left out of the targets. */
export const WITHIN: readonly [string, string] = ["(^|.*\\.)", "($|\\..*)"]

/** Whether an adapter starts from the base weight. */
export function startsFromBase({ initLoraWeights }: ResolvedOptions): boolean {
  return typeof initLoraWeights === "string" && !["gaussian", "orthogonal"].includes(initLoraWeights)
}
