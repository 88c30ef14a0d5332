import { isWithin } from "../../core/formats/path_within.ts"
import { adapterFile, nearest } from "../peft_format/mod.ts"
import { CombineError } from "../../core/weights/combine/combine_error.ts"
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
export interface ResolvedCombine extends Required<Omit<CombineOptions, "svdRank">> {
  /** As in {@link CombineOptions}. */
  readonly svdRank?: number
}

const COMBINATION_TYPES: ReadonlyArray<CombinationType> = ["cat", "linear", "svd", "ties", "dare_linear", "dare_ties"]
const KNOWN: ReadonlyArray<keyof CombineOptions> = [
  "adapters",
  "output",
  "combinationType",
  "svdRank",
  "density",
  "majoritySignMethod",
  "seed",
  "tolerance",
]

/** Checks options and fills in defaults. Throws {@link CombineError}. */
export function resolveCombine(options: CombineOptions): ResolvedCombine {
  const { adapters, output, combinationType = "cat", svdRank, density, majoritySignMethod = "total", seed = 0 } =
    options
  const exact = combinationType === "cat" || combinationType === "linear"
  const { tolerance = exact ? 1e-5 : 0.05 } = options
  const demand = (holds: boolean, option: string, wanted: string, value: unknown) => {
    if (holds) return
    const got = typeof value === "number" ? String(value) : JSON.stringify(value) ?? String(value)
    throw new CombineError({ reason: "Options", message: `combine: ${option} must be ${wanted}, got ${got}` })
  }
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name as keyof CombineOptions))
  if (unknown !== undefined) {
    const message = `combine: unknown option "${unknown}"; the nearest known one is "${nearest(unknown, KNOWN)}"`
    throw new CombineError({ reason: "Options", message })
  }
  demand(adapters.length > 0, "adapters", "at least one", adapters)
  for (const [i, source] of adapters.entries()) {
    const { weight = 1 } = source
    const unknown = Object.keys(source).find((name) => !["path", "model", "name", "weight"].includes(name))
    demand(unknown === undefined, `adapters[${i}]`, "a path or a model, a name and a weight", unknown)
    demand("path" in source !== "model" in source, `adapters[${i}]`, "with a path or a model", Object.keys(source))
    demand(Number.isFinite(weight) && weight !== 0, `adapters[${i}].weight`, "a finite number other than 0", weight)
  }
  const own = (source: AdapterSource & { readonly path: string }) =>
    `${source.path}/${adapterFile(source.name ?? "default", "")}`
  demand(
    output !== "" && !adapters.some((source) => "path" in source && isWithin(own(source), output)),
    "output",
    "a directory apart from the adapters, which it would replace",
    output,
  )
  const types = COMBINATION_TYPES.map((type) => `"${type}"`).join(", ")
  demand(COMBINATION_TYPES.includes(combinationType), "combinationType", `one of ${types}`, combinationType)
  const isRank = svdRank === undefined || (Number.isSafeInteger(svdRank) && svdRank > 0)
  demand(isRank, "svdRank", "a positive integer", svdRank)
  demand(svdRank === undefined || !exact, "svdRank", `absent: "${combinationType}" keeps the rank it needs`, svdRank)
  const prunes = !exact && combinationType !== "svd"
  const isShare = density !== undefined && density > 0 && density <= 1
  demand(!prunes || isShare, "density", `above 0 and at most 1 for "${combinationType}"`, density)
  demand(prunes || density === undefined, "density", `absent: "${combinationType}" leaves nothing out`, density)
  const votes = ["total", "frequency"]
  demand(votes.includes(majoritySignMethod), "majoritySignMethod", '"total" or "frequency"', majoritySignMethod)
  demand(Number.isSafeInteger(seed) && seed >= 0, "seed", "a whole number from 0", seed)
  demand(tolerance > 0, "tolerance", "a number above 0", tolerance)
  return {
    adapters,
    output,
    combinationType,
    density: density ?? 1,
    majoritySignMethod,
    seed,
    tolerance,
    ...(svdRank === undefined ? {} : { svdRank }),
  }
}
