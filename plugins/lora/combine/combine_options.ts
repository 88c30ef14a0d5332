import { isWithin } from "../../../core/formats/files/path_within.ts"
import { faultsOf, mustBe, withDefaults } from "../../../core/options/check.ts"
import type { Fault, Fields, OptionTable, Resolved } from "../../../core/options/field.ts"
import * as field from "../../../core/options/fields.ts"
import { CombineError } from "../../../core/weights/combine/combine_error.ts"
import { adapterFile } from "../../peft_names/mod.ts"
import type { AdapterSource } from "./combine_sources.ts"

/**
 * How adapters are combined. All but the last three stand for the weighted sum of their updates.
 * - `"cat"`: exactly, at the sum of their ranks.
 * - `"linear"`: exactly, at the least rank that holds the sum; in PEFT it has cross terms.
 * - `"svd"`: at rank `svdRank`, as near as that can be.
 * - `"ties"`: TIES (Yadav et al. 2023). Of each update the greatest elements stay (`density`); for each place a sign is
 *   voted, and what has that sign is averaged.
 * - `"dare_linear"`, `"dare_ties"`: DARE (Yu et al. 2023). Random elements stay (`density`), rescaled; then they are
 *   added, or merged as TIES does. All three are factorised at rank `svdRank`.
 */
export type CombinationType = "cat" | "linear" | "svd" | "ties" | "dare_linear" | "dare_ties"

/** Options of {@link combine}, with PEFT's names. */
export interface CombineOptions {
  /** The adapters, with their weights. For their average (a soup) give each weight 1 / n. */
  readonly adapters: ReadonlyArray<AdapterSource>
  /** Directory for the result, in PEFT's files. What was there is replaced. */
  readonly output: string
  /** Default `"cat"`. */
  readonly combinationType?: CombinationType
  /** Rank of the result where it is chosen (`svd`, `ties`, DARE). Default: the greatest rank among the adapters. */
  readonly svdRank?: number
  /** Share of each update's elements that stays (`ties`, DARE); above 0, at most 1. No default. */
  readonly density?: number
  /** How signs are voted (`ties`, `dare_ties`): by the sum of elements, or by their number. Default `"total"`. */
  readonly majoritySignMethod?: "total" | "frequency"
  /** Seed of DARE's choice. Default 0. */
  readonly seed?: number
  /**
   * How far the result may be from what it stands for at any module: the norm of the difference over the norm (Frobenius).
   * Default 1e-5 for `cat` and `linear`, 0.05 for the others, which leave out what their rank does not hold. What TIES and
   * DARE give has no low rank: at a rank like the adapters' own it is often a third off.
   */
  readonly tolerance?: number
}

/** Options, checked and with defaults filled in. */
export type ResolvedCombine = Resolved<CombineOptions, "svdRank"> & { readonly density: number }

/** {@link CombineOptions} as a table. */
export const COMBINE_OPTIONS: OptionTable<CombineOptions, "svdRank" | "density"> = {
  adapters: field.list(field.opaque<AdapterSource>()({ faults: sourceFaults }), {
    minItems: 1,
    required: true,
    doc: "The adapters, with their weights",
  }),
  output: field.text({ required: true, doc: "Directory for the result; replaced if it exists" }),
  combinationType: field.choice(["cat", "linear", "svd", "ties", "dare_linear", "dare_ties"], {
    default: "cat",
    doc: "Combination; cat: exact, at the sum of the ranks",
  }),
  svdRank: field.integer({
    minimum: 1,
    absent: "the adapters' greatest",
    doc: "Rank of the result, for types with a free rank",
  }),
  density: field.number({
    exclusiveMinimum: 0,
    maximum: 1,
    doc: "Share of each update that is kept (ties, dare)",
  }),
  majoritySignMethod: field.choice(["total", "frequency"], {
    default: "total",
    doc: "How signs are voted (ties): by the sum of elements, or by their number",
  }),
  seed: field.integer({ minimum: 0, default: 0, doc: "Seed of the random choice (dare)" }),
  tolerance: field.number({
    exclusiveMinimum: 0,
    default: ({ combinationType }) => isExact(combinationType) ? 1e-5 : 0.05,
    absent: "1e-5 for cat and linear, else 0.05",
    doc: "Greatest relative error of a module",
  }),
}

const SOURCE: Fields = {
  path: field.text({}),
  model: {},
  name: field.text({}),
  weight: field.number({ not: { const: 0 } }),
}

/** What is wrong with one of the adapters. */
function sourceFaults(source: unknown, at: string): ReadonlyArray<Fault> {
  const faults = faultsOf(SOURCE, source, at)
  if (faults.length > 0) return faults
  const names = Object.keys(source as object)
  return names.includes("path") !== names.includes("model") ? [] : [mustBe(at, "with a path or a model", names)]
}

const isExact = (type: unknown): boolean => type === "cat" || type === "linear"

/** Checks options and fills in defaults. Throws {@link CombineError}. */
export function resolveCombine(options: CombineOptions): ResolvedCombine {
  const refuse = (faults: ReadonlyArray<Fault>) => {
    if (faults.length === 0) return
    const message = `combine: ${faults.map(({ message }) => message).join("; ")}`
    throw new CombineError({ reason: "Options", message })
  }
  refuse(faultsOf(COMBINE_OPTIONS, options))
  const resolved = withDefaults(COMBINE_OPTIONS, options)
  const { adapters, output, combinationType: type, svdRank, density } = resolved
  const own = (source: AdapterSource & { readonly path: string }) =>
    `${source.path}/${adapterFile(source.name ?? "default", "")}`
  const apart = output !== "" && !adapters.some((source) => "path" in source && isWithin(own(source), output))
  const chosen = svdRank === undefined || !isExact(type)
  const prunes = !isExact(type) && type !== "svd"
  refuse([
    ...apart ? [] : [mustBe("output", "a directory apart from the adapters, which it would replace", output)],
    ...chosen ? [] : [mustBe("svdRank", `absent: "${type}" keeps the rank it needs`, svdRank)],
    ...!prunes || density !== undefined ? [] : [mustBe("density", `above 0 and at most 1 for "${type}"`, density)],
    ...prunes || density === undefined ? [] : [mustBe("density", `absent: "${type}" leaves nothing out`, density)],
  ])
  return { ...resolved, density: density ?? 1 }
}
