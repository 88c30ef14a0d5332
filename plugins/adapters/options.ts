import { PluginError } from "../../core/contracts/plugin_error.ts"
import { nearest } from "../peft_format/mod.ts"
import { ACTIVATIONS } from "./activations.ts"

/** Names of the architectures that AdapterHub has presets for. */
export type AdapterConfigName = "seq_bn" | "double_seq_bn" | "par_bn" | "scaled_par_bn"

/**
 * A bottleneck adapter, with AdapterHub's meaning. What is not given comes from `config`.
 *
 * In a layer, y is the output of a part (attention or feed-forward) and r what it is added to; `end(y)` is LayerNorm(y + r)
 * in families that norm afterwards, such as BERT, and y + r in the others. An adapter is
 * A(h) = scaling * (W_up f(W_down h + b_down) + b_up), and the part goes on with `end(h' + A(h))`, where h and h' depend on
 * the fields below.
 */
export interface AdapterOptions {
  /** Tells adapters of one model apart: letters, digits, dashes, underscores. Default `"default"`. */
  readonly name?: string
  /**
   * The architecture that fields come from which are not given. `seq_bn`: after the feed-forward (Pfeiffer et al. 2020,
   * arXiv 2005.00247), ReLU, reduction 16, and `originalLnBefore`. `double_seq_bn`: after attention and feed-forward
   * (Houlsby et al. 2019, arXiv 1902.00751), Swish, reduction 16. `par_bn`: beside the feed-forward (He et al. 2021,
   * arXiv 2110.04366), ReLU, reduction 2, scaling 4; `scaled_par_bn`: with learned scaling. Default `"seq_bn"`.
   */
  readonly config?: AdapterConfigName
  /** Whether attention has adapters. */
  readonly mhAdapter?: boolean
  /** Whether the feed-forward has adapters. */
  readonly outputAdapter?: boolean
  /**
   * Hidden size over bottleneck size, above 0 (the bottleneck is rounded down, and at least 1): one number, or numbers by
   * layer, from `"0"`, with `"default"` for the layers that are not named.
   */
  readonly reductionFactor?: number | Readonly<Record<string, number>>
  /** f, by its name in transformers: `relu`, `gelu`, `gelu_new`, `silu` or `swish`, `tanh`, `sigmoid`, `leakyrelu`, `linear`. */
  readonly nonLinearity?: string
  /** Whether h is end(y); else it is y. */
  readonly originalLnBefore?: boolean
  /** Whether the model's own addition and norm follow. False gives h' + A(h) to the next part as it is. Default true. */
  readonly originalLnAfter?: boolean
  /** A LayerNorm of the adapter's own on h. Default false. */
  readonly lnBefore?: boolean
  /** A LayerNorm of the adapter's own on A(h). Default false. */
  readonly lnAfter?: boolean
  /** True: h' is y. False: h' is h. `"post_add"`: h' is y + r, and needs `originalLnBefore`. Default true. */
  readonly residualBeforeLn?: boolean | "post_add"
  /** Whether h' is added before the norm of `lnAfter`. Default false. */
  readonly adapterResidualBeforeLn?: boolean
  /** Whether h is r and h' is y (He et al. 2021): the adapter works beside the part, not after it. */
  readonly isParallel?: boolean
  /** A factor; `"learned"`, one number that starts at 1; `"channel"`, one for each column. Default 1, in `par_bn` 4, in
   * `scaled_par_bn` `"learned"`. */
  readonly scaling?: number | "learned" | "channel"
  /** Dropout on A(h). Default 0. */
  readonly dropout?: number
  /** Numbers of the layers, from 0, that get no adapter. Default: none. */
  readonly leaveOut?: ReadonlyArray<number>
  /**
   * `"bert"`: weights normal with standard deviation 0.02. `"mam_adapter"`: W_down uniform within 1 / sqrt(its inputs),
   * W_up zero, so that nothing changes at first. Biases are zero. Default `"bert"`, in `par_bn` and
   * `scaled_par_bn` `"mam_adapter"`.
   */
  readonly initWeights?: "bert" | "mam_adapter"
  /** Whether it trains. Default true; in a composition with {@link fuse} false. */
  readonly trainable?: boolean
}

/** {@link AdapterOptions}, checked and with defaults filled in. */
export type ResolvedAdapter = Required<Omit<AdapterOptions, "config" | "trainable">>

const BASE = {
  mhAdapter: false,
  outputAdapter: true,
  reductionFactor: 16,
  nonLinearity: "relu",
  originalLnBefore: false,
  originalLnAfter: true,
  lnBefore: false,
  lnAfter: false,
  residualBeforeLn: true,
  adapterResidualBeforeLn: false,
  isParallel: false,
  scaling: 1,
  dropout: 0,
  leaveOut: [],
  initWeights: "bert",
} as const satisfies Omit<ResolvedAdapter, "name">

const PARALLEL = { ...BASE, reductionFactor: 2, isParallel: true, initWeights: "mam_adapter" } as const

const CONFIGS: Readonly<Record<AdapterConfigName, Omit<ResolvedAdapter, "name">>> = {
  seq_bn: { ...BASE, originalLnBefore: true },
  double_seq_bn: { ...BASE, mhAdapter: true, nonLinearity: "swish" },
  par_bn: { ...PARALLEL, scaling: 4 },
  scaled_par_bn: { ...PARALLEL, scaling: "learned" },
}

const KNOWN = [...Object.keys(BASE), "name", "config", "trainable"]
const BOOLEANS = [
  "mhAdapter",
  "outputAdapter",
  "originalLnBefore",
  "originalLnAfter",
  "lnBefore",
  "lnAfter",
  "adapterResidualBeforeLn",
  "isParallel",
] as const

/** Throws {@link PluginError} on fields of a plugin's options that it does not know. */
export function checkFields(plugin: string, what: string, given: object, known: ReadonlyArray<string>): void {
  for (const field of Object.keys(given)) {
    if (known.includes(field)) continue
    const message = `${plugin}: ${what} have no field "${field}"; the nearest is "${nearest(field, known)}"`
    throw new PluginError({ plugin, message })
  }
}

/** Throws {@link PluginError} where a field is not what it must be. */
export function demand(plugin: string, holds: boolean, field: string, wanted: string, value: unknown): void {
  if (holds) return
  // JSON has no word for numbers that are not finite.
  const shown = typeof value === "number" ? String(value) : JSON.stringify(value) ?? String(value)
  throw new PluginError({ plugin, message: `${plugin}: ${field} must be ${wanted}, got ${shown}` })
}

/** Fills in defaults. Throws {@link PluginError}, for `plugin`, on a value that makes no sense. */
export function resolveAdapter(options: AdapterOptions, plugin: string): ResolvedAdapter {
  checkFields(plugin, "adapter options", options, KNOWN)
  const { config = "seq_bn", trainable = true, name = "default", ...given } = options
  const must = (holds: boolean, field: string, wanted: string, value: unknown) =>
    demand(plugin, holds, field, wanted, value)
  must(/^[\w-]+$/.test(name), "name", "letters, digits, dashes and underscores", name)
  must(Object.hasOwn(CONFIGS, config), "config", `one of ${Object.keys(CONFIGS).join(", ")}`, config)
  must(typeof trainable === "boolean", "trainable", "true or false", trainable)
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const resolved: ResolvedAdapter = { ...CONFIGS[config], ...set, name }
  for (const field of BOOLEANS) must(typeof resolved[field] === "boolean", field, "true or false", resolved[field])
  const { reductionFactor, nonLinearity, scaling, dropout, leaveOut, initWeights, residualBeforeLn } = resolved
  const isFactor = (value: unknown) => typeof value === "number" && Number.isFinite(value) && value > 0
  if (typeof reductionFactor === "object" && reductionFactor !== null) {
    for (const [layer, factor] of Object.entries(reductionFactor)) {
      must(/^(\d+|default)$/.test(layer), "a key of reductionFactor", 'a layer\'s number or "default"', layer)
      must(isFactor(factor), `reductionFactor["${layer}"]`, "a finite number above 0", factor)
    }
  } else must(isFactor(reductionFactor), "reductionFactor", "a finite number above 0", reductionFactor)
  must(
    Object.hasOwn(ACTIVATIONS, nonLinearity),
    "nonLinearity",
    `one of ${Object.keys(ACTIVATIONS).join(", ")}`,
    nonLinearity,
  )
  must(
    ["learned", "channel"].includes(scaling as string) ||
      (typeof scaling === "number" && Number.isFinite(scaling) && scaling !== 0),
    "scaling",
    'a finite number other than 0, "learned" or "channel"',
    scaling,
  )
  must(typeof dropout === "number" && dropout >= 0 && dropout < 1, "dropout", "at least 0 and below 1", dropout)
  must(
    Array.isArray(leaveOut) && leaveOut.every((layer) => Number.isSafeInteger(layer) && layer >= 0),
    "leaveOut",
    "a list of layers' numbers",
    leaveOut,
  )
  must(["bert", "mam_adapter"].includes(initWeights), "initWeights", '"bert" or "mam_adapter"', initWeights)
  must(
    [true, false, "post_add"].includes(residualBeforeLn),
    "residualBeforeLn",
    'true, false or "post_add"',
    residualBeforeLn,
  )
  must(
    residualBeforeLn !== "post_add" || resolved.originalLnBefore,
    "originalLnBefore",
    'true where residualBeforeLn is "post_add"',
    resolved.originalLnBefore,
  )
  must(resolved.mhAdapter || resolved.outputAdapter, "mhAdapter or outputAdapter", "true", false)
  return resolved
}
