/**
 * Updates of one weight as one update, in weight space: what is added are products of factors, never factors apart.
 * @module
 */
import { CombineError } from "./combine_error.ts"
import {
  type AddRow,
  concatenated,
  decomposed,
  distance,
  type Factors,
  leastRank,
  merged,
  type MergeRule,
  nearest,
  productRows,
  type Term,
  termRows,
  truncated,
} from "./low_rank.ts"

/** Elements of the largest weight whose whole update is formed: 2 GiB of float64. */
const LARGEST = 2 ** 28

export interface CombineSettings extends Omit<MergeRule, "prune" | "elect"> {
  /** Rank of the result where it is chosen. */
  readonly svdRank: number
  /** How far the result may be from what it stands for, relative to its norm. */
  readonly tolerance: number
}

/** Factors of a combination, what they stand for, and the rank that would do where they are too far from it. */
interface Combined {
  readonly factors: Factors
  readonly wanted: AddRow
  readonly needed?: () => number
}

/** A way to make one update of several. */
export interface Combination {
  readonly name: string
  /** Whether it keeps the rank that it needs, so that only rounding is lost. */
  readonly exact: boolean
  readonly combine: (terms: ReadonlyArray<Term>, settings: CombineSettings) => Combined
}

const sumOf = (terms: ReadonlyArray<Term>): AddRow => (row, into) => terms.forEach((term) => termRows(term)(row, into))

/** The weighted sum as it is, at the sum of the ranks. */
export const cat: Combination = {
  name: "cat",
  exact: true,
  combine: (terms) => ({ factors: concatenated(terms), wanted: sumOf(terms) }),
}

/** The weighted sum at a rank that follows from its singular values. */
function bySingularValues(
  name: string,
  exact: boolean,
  rankOf: (values: Float64Array, settings: CombineSettings) => number,
): Combination {
  return {
    name,
    exact,
    combine: (terms, settings) => {
      const all = decomposed(concatenated(terms))
      const factors = truncated(all, rankOf(all.values, settings))
      return { factors, wanted: sumOf(terms), needed: () => leastRank(all.values, settings.tolerance) }
    },
  }
}

/** The weighted sum at the least rank that holds it. */
export const linear: Combination = bySingularValues("linear", true, (values) => leastRank(values, 1e-7))

/** The weighted sum as near as a rank allows. */
export const svd: Combination = bySingularValues("svd", false, (_, { svdRank }) => svdRank)

/** Whole updates merged by a rule, as near as a rank allows. */
function byRule(name: string, rule: Pick<MergeRule, "prune" | "elect">): Combination {
  return {
    name,
    exact: false,
    combine: (terms, settings) => {
      const size = terms[0].b.rows * terms[0].a.columns
      if (size > LARGEST) {
        const message = `"${name}" forms the whole update, of ${size} numbers; take "svd" or "cat"`
        throw new CombineError({ reason: "Unsupported", message })
      }
      const { data, ...target } = merged(terms, { ...settings, ...rule })
      const { columns } = target
      return {
        factors: truncated(nearest({ ...target, data }, settings.svdRank), settings.svdRank),
        wanted: (row, into) => {
          for (let j = 0; j < columns; j++) into[j] += data[row * columns + j]
        },
      }
    },
  }
}

/** TIES (Yadav et al. 2023). */
export const ties: Combination = byRule("ties", { prune: "magnitude", elect: true })
/** DARE, added (Yu et al. 2023). */
export const dareLinear: Combination = byRule("dare_linear", { prune: "random", elect: false })
/** DARE, merged as TIES does. */
export const dareTies: Combination = byRule("dare_ties", { prune: "random", elect: true })

/** An update in 32 bits. */
export interface CombinedUpdate {
  readonly factors: Factors
  /** Elements of `factors.a` and `factors.b`, as files hold them. */
  readonly stored: { readonly a: Float32Array; readonly b: Float32Array }
  /** Distance from what it stands for, relative to that. */
  readonly error: number
}

/** One update of several. Throws {@link CombineError} where it is further from what it stands for than the tolerance. */
export function combineUpdates(
  { name, exact, combine }: Combination,
  terms: ReadonlyArray<Term>,
  module: string,
  settings: CombineSettings,
): CombinedUpdate {
  const [rows, columns] = [terms[0].b.rows, terms[0].a.columns]
  const { factors, wanted, needed } = named(module, () => combine(terms, settings))
  // As files hold them.
  const [a, b] = [factors.a, factors.b].map(({ data }) => Float32Array.from(data))
  const rounded: Factors = {
    a: { ...factors.a, data: Float64Array.from(a) },
    b: { ...factors.b, data: Float64Array.from(b) },
  }
  const found = distance(rows, columns, wanted, productRows(rounded))
  // Where updates cancel each other to the last digits, what is left has no meaning.
  const parts = terms.reduce((sum, term) => sum + Math.abs(term.scale * term.weight) * normOf(term), 0)
  const error = found.distance === 0 ? 0 : found.distance / Math.max(found.norm, 1e-10 * parts)
  const { tolerance } = settings
  if (error <= tolerance) return { factors, stored: { a, b }, error }
  const most = Math.min(rows, columns)
  const what = exact
    ? 'its updates nearly cancel each other, beyond what 32 bits hold; take "svd", or other weights'
    : needed === undefined
    ? `take a higher svdRank (${most} is exact), a higher density, or a higher tolerance`
    : `take svdRank ${needed()}, or a higher tolerance`
  const message = `"${module}": rank ${factors.a.rows} is ${error.toPrecision(3)} off what "${name}" stands ` +
    `for, relative to its norm; the tolerance is ${tolerance}: ${what}. Nothing was written`
  throw new CombineError({ reason: "Inexact", module, message })
}

/** Errors with the module that they happen at. */
function named<A>(module: string, run: () => A): A {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof CombineError) || error.module !== undefined) throw error
    throw new CombineError({ reason: error.reason, module, message: `"${module}": ${error.message}` })
  }
}

/** Norm of b a. */
function normOf({ a, b }: Factors): number {
  const nothing: AddRow = () => {}
  return distance(b.rows, a.columns, productRows({ a, b }), nothing).norm
}
