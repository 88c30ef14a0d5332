import * as field from "../../core/options/fields.ts"
import { demandOf, methodName, methodOptions } from "../../core/options/method_options.ts"
import type { OptionTable, Resolved } from "../../core/options/field.ts"
import type { Accountant } from "./accounting/accountant.ts"
import { prv } from "./accounting/prv.ts"
import { rdp } from "./accounting/rdp.ts"
import { type Clipping, flat, perLayer } from "./clip.ts"

/** Options of private training. One of `targetEpsilon` and `noiseMultiplier` must be given. */
export interface DifferentialPrivacyOptions {
  /** The plugin's id is `differential_privacy/<name>`. Default `"default"`. */
  readonly name?: string
  /**
   * Greatest epsilon of the run. Without `noiseMultiplier`, the noise follows from it and from the planned steps; with it,
   * the run stops before a step that would spend more. Default: none.
   */
  readonly targetEpsilon?: number
  /** Standard deviation of the noise in units of `maxGradNorm`. Default: the one that `targetEpsilon` needs. */
  readonly noiseMultiplier?: number
  /** Probability that the promise of epsilon fails. Below 1 / training rows. */
  readonly delta: number
  /** Most that one example's gradient measures (L2); larger ones are scaled down. Default 1. */
  readonly maxGradNorm?: number
  /**
   * `"flat"`: the norm is over all trained parameters. `"per-layer"`: each parameter is clipped by itself, to
   * `maxGradNorm / sqrt(parameters)`, so that all together have `maxGradNorm`. Default `"flat"`.
   */
  readonly clipping?: "flat" | "per-layer"
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
export const CLIPPINGS: Readonly<Record<ResolvedOptions["clipping"], Clipping>> = { flat, "per-layer": perLayer }

/** {@link DifferentialPrivacyOptions} as a table. */
export const OPTIONS: OptionTable<DifferentialPrivacyOptions, "targetEpsilon" | "noiseMultiplier"> = {
  name: methodName,
  targetEpsilon: field.number({ exclusiveMinimum: 0, absent: "none", doc: "Greatest epsilon of the run" }),
  noiseMultiplier: field.number({
    exclusiveMinimum: 0,
    absent: "the one that targetEpsilon needs",
    doc: "Standard deviation of the noise in units of maxGradNorm",
  }),
  delta: field.number({
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    required: true,
    doc: "Probability that the promise fails; below 1 / training rows",
  }),
  maxGradNorm: field.number({ exclusiveMinimum: 0, default: 1, doc: "Most that one example's gradient measures" }),
  clipping: field.choice(["flat", "per-layer"], { default: "flat", doc: "What is clipped together" }),
  accountant: field.choice(["prv", "rdp"], { default: "prv", doc: "How spent privacy is computed" }),
}

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: DifferentialPrivacyOptions): ResolvedOptions {
  const resolved = methodOptions("differential_privacy", OPTIONS, options)
  const { id, targetEpsilon, noiseMultiplier } = resolved
  const given = targetEpsilon !== undefined || noiseMultiplier !== undefined
  demandOf(id)(given, "targetEpsilon", "given where there is no noiseMultiplier", targetEpsilon)
  return resolved
}
