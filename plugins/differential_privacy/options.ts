import * as field from "../../core/options/fields.ts"
import { demandOf, methodName, methodOptions } from "../../core/options/method_options.ts"
import type { OptionTable, Resolved } from "../../core/options/field.ts"
import type { Accountant } from "./accounting/accountant.ts"
import { prv } from "./accounting/prv.ts"
import { rdp } from "./accounting/rdp.ts"
import { adaptive } from "./adaptive.ts"
import { flat, perLayer } from "./clip.ts"
import { type Mechanism, toConstant } from "./mechanism.ts"

/** Options of private training. One of `targetEpsilon` and `noiseMultiplier` must be given. */
export interface DifferentialPrivacyOptions {
  /** The plugin's id is `differential_privacy/<name>`. Default `"default"`. */
  readonly name?: string
  /**
   * Greatest epsilon of the run. Without `noiseMultiplier`, the noise follows from it and from the planned steps; with it,
   * the run stops before a step that would spend more. Default: none.
   */
  readonly targetEpsilon?: number
  /** Standard deviation of the noise in units of the clipping bound. Default: the one that `targetEpsilon` needs. */
  readonly noiseMultiplier?: number
  /** Probability that the promise of epsilon fails. Below 1 / training rows. */
  readonly delta: number
  /** Most that one example's gradient measures (L2); larger ones are scaled down; with adaptive clipping, the first such bound. Default 1. */
  readonly maxGradNorm?: number
  /**
   * `"flat"`: the norm is over all trained parameters. `"per-layer"`: each parameter is clipped by itself, to
   * `maxGradNorm / sqrt(parameters)`, so that all together have `maxGradNorm`. `"adaptive"`: as flat, and the bound follows
   * a quantile of the norms (Andrew et al. 2021), from `maxGradNorm`; it needs a noise multiplier below a tenth of the
   * examples of a step. Default `"flat"`.
   */
  readonly clipping?: "flat" | "per-layer" | "adaptive"
  /** For adaptive clipping: the share of examples whose norm is within the bound, between 0 and 1. Default 0.5. */
  readonly targetQuantile?: number
  /** For adaptive clipping: the bound is multiplied by `exp(-clippingLearningRate * (share - targetQuantile))`. Default 0.2. */
  readonly clippingLearningRate?: number
  /**
   * How spent privacy is computed: `"prv"` by privacy random variables (Gopi et al. 2021), the tighter one, or `"rdp"` by
   * Renyi differential privacy (Mironov et al. 2019), the faster one. Default `"prv"`.
   */
  readonly accountant?: "prv" | "rdp"
}

/** Options, checked and with defaults filled in. */
export interface ResolvedOptions extends Resolved<DifferentialPrivacyOptions, "targetEpsilon" | "noiseMultiplier"> {
  /** Id of the plugin: `differential_privacy/<name>`. */
  readonly id: string
}

/** Accountants as the option spells them. */
export const ACCOUNTANTS: Readonly<Record<ResolvedOptions["accountant"], Accountant>> = { prv, rdp }

/** Ways to clip as the option spells them. */
export const CLIPPINGS: Readonly<Record<ResolvedOptions["clipping"], Mechanism>> = {
  flat: toConstant("flat", flat),
  "per-layer": toConstant("per-layer", perLayer),
  adaptive,
}

/** {@link DifferentialPrivacyOptions} as a table. */
export const OPTIONS: OptionTable<
  DifferentialPrivacyOptions,
  "targetEpsilon" | "noiseMultiplier" | "targetQuantile" | "clippingLearningRate"
> = {
  name: methodName,
  targetEpsilon: field.number({ exclusiveMinimum: 0, absent: "none", doc: "Greatest epsilon of the run" }),
  noiseMultiplier: field.number({
    exclusiveMinimum: 0,
    absent: "the one that targetEpsilon needs",
    doc: "Standard deviation of the noise in units of the clipping bound",
  }),
  delta: field.number({
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    required: true,
    doc: "Probability that the promise fails; below 1 / training rows",
  }),
  maxGradNorm: field.number({ exclusiveMinimum: 0, default: 1, doc: "Most that one example's gradient measures" }),
  clipping: field.choice(["flat", "per-layer", "adaptive"], {
    default: "flat",
    doc: "What is clipped together; adaptive: all, to a bound that follows a quantile of the norms",
  }),
  targetQuantile: field.number({
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    absent: "0.5",
    doc: "For adaptive clipping: share of examples whose norm is within the bound",
  }),
  clippingLearningRate: field.number({
    exclusiveMinimum: 0,
    absent: "0.2",
    doc: "For adaptive clipping: how fast the bound follows",
  }),
  accountant: field.choice(["prv", "rdp"], { default: "prv", doc: "How spent privacy is computed" }),
}

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: DifferentialPrivacyOptions): ResolvedOptions {
  const resolved = methodOptions("differential_privacy", OPTIONS, options)
  const { id, clipping, targetEpsilon, noiseMultiplier, targetQuantile, clippingLearningRate } = resolved
  const demand = demandOf(id)
  const given = targetEpsilon !== undefined || noiseMultiplier !== undefined
  demand(given, "targetEpsilon", "given where there is no noiseMultiplier", targetEpsilon)
  for (const [name, value] of Object.entries({ targetQuantile, clippingLearningRate })) {
    demand(clipping === "adaptive" || value === undefined, "clipping", `"adaptive" where ${name} is given`, clipping)
  }
  return { ...resolved, targetQuantile: targetQuantile ?? 0.5, clippingLearningRate: clippingLearningRate ?? 0.2 }
}
