import type { Made, OptionTable, Resolved } from "../../core/options/field.ts"
import * as field from "../../core/options/fields.ts"
import { withDefaults } from "../../core/options/check.ts"
import { checkOptions, demandOf } from "../../core/options/method_options.ts"
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
export type ResolvedAdapter = Omit<Resolved<AdapterOptions>, "config" | "trainable">

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

/** The default that the architecture says. */
function preset<Name extends keyof typeof BASE>(name: Name): {
  readonly absent: string
  readonly default: (given: Readonly<Record<string, unknown>>) => Omit<ResolvedAdapter, "name">[Name]
} {
  return { absent: "as config has it", default: ({ config }) => CONFIGS[config as AdapterConfigName][name] }
}

const factor = field.number({ exclusiveMinimum: 0 })
const layerName = field.text({ pattern: "^(\\d+|default)$", wanted: 'a layer\'s number or "default"' })

/** Option `name` of an adapter: it is a part of parameters' names. */
export const adapterName: Made<string, { readonly default: string }> = field.text({
  pattern: "^[\\w\\-]+$",
  wanted: "letters, digits, dashes and underscores",
  default: "default",
  doc: "Distinguishes several adapters",
})

/** {@link AdapterOptions} as a table. */
export const OPTIONS: OptionTable<AdapterOptions> = {
  name: adapterName,
  config: field.choice(["seq_bn", "double_seq_bn", "par_bn", "scaled_par_bn"], {
    default: "seq_bn",
    doc: "Architecture: the source of defaults",
  }),
  mhAdapter: field.boolean({ ...preset("mhAdapter"), doc: "Attention has adapters" }),
  outputAdapter: field.boolean({ ...preset("outputAdapter"), doc: "The feed-forward has adapters" }),
  reductionFactor: field.anyOf([factor, field.byName(factor, { propertyNames: layerName })], {
    ...preset("reductionFactor"),
    wanted: "a number above 0, or such numbers by layer",
    doc: "Hidden size over bottleneck size: a number, or numbers by layer with default for the others",
  }),
  nonLinearity: field.choice(Object.keys(ACTIVATIONS), {
    ...preset("nonLinearity"),
    doc: "Function of the bottleneck",
  }),
  originalLnBefore: field.boolean({
    ...preset("originalLnBefore"),
    doc: "The adapter sees the part's output after the model's own addition and norm",
  }),
  originalLnAfter: field.boolean({ ...preset("originalLnAfter"), doc: "The model's own addition and norm follow" }),
  lnBefore: field.boolean({ ...preset("lnBefore"), doc: "A norm of the adapter's own on its input" }),
  lnAfter: field.boolean({ ...preset("lnAfter"), doc: "A norm of the adapter's own on its output" }),
  residualBeforeLn: field.anyOf([field.boolean({}), field.choice(["post_add"], {})], {
    ...preset("residualBeforeLn"),
    doc: "What the adapter's output is added to",
  }),
  adapterResidualBeforeLn: field.boolean({
    ...preset("adapterResidualBeforeLn"),
    doc: "That is added before the norm of lnAfter",
  }),
  isParallel: field.boolean({ ...preset("isParallel"), doc: "The adapter works beside the part, not after it" }),
  scaling: field.anyOf([field.number({ not: { const: 0 } }), field.choice(["learned", "channel"], {})], {
    ...preset("scaling"),
    doc: "A factor; learned: one number that starts at 1; channel: one for each column",
  }),
  dropout: field.number({
    ...preset("dropout"),
    minimum: 0,
    exclusiveMaximum: 1,
    doc: "Dropout on the adapter's output",
  }),
  leaveOut: field.list(field.integer({ minimum: 0 }), {
    ...preset("leaveOut"),
    doc: "Numbers of the layers, from 0, that get no adapter",
  }),
  initWeights: field.choice(["bert", "mam_adapter"], { ...preset("initWeights"), doc: "How weights start" }),
  trainable: field.boolean({ default: true, doc: "Whether it trains" }),
}

/** Fills in defaults. Throws {@link PluginError}, for `plugin`, on a value that makes no sense. */
export function resolveAdapter(options: AdapterOptions, plugin: string): ResolvedAdapter {
  checkOptions(plugin, OPTIONS, options)
  const { config: _, trainable: _trainable, ...resolved } = withDefaults(OPTIONS, options)
  const { residualBeforeLn, originalLnBefore, mhAdapter, outputAdapter } = resolved
  const must = demandOf(plugin)
  const sees = residualBeforeLn !== "post_add" || originalLnBefore
  must(sees, "originalLnBefore", 'true where residualBeforeLn is "post_add"', originalLnBefore)
  must(mhAdapter || outputAdapter, "mhAdapter or outputAdapter", "true", false)
  return resolved
}
