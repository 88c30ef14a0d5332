/**
 * Which rows of a task may be drawn.
 * @module
 */
import type { Rng } from "../../core/tensor/operations/random.ts"
import type { ResolvedOptions } from "./options.ts"
import { poolSize } from "./pacing.ts"

/** Tells the rows that a competence allows: always at least one. */
export type Gate = (competence: number) => (row: number) => boolean

/** Sign that makes the first rows the ones with the least values. */
const signOf = (order: ResolvedOptions["order"]) => order === "easy" ? 1 : -1

/** Rank of each row, from 0: the first in the order has the least. Equal difficulties are ordered by chance. */
export function ranksOf(difficulties: ReadonlyArray<number>, order: ResolvedOptions["order"], rng: Rng): Int32Array {
  const sign = signOf(order)
  const rows = rng.shuffle(difficulties.keys()).sort((a, b) => sign * (difficulties[a] - difficulties[b]))
  const ranks = new Int32Array(rows.length)
  rows.forEach((row, rank) => ranks[row] = rank)
  return ranks
}

/** Allows the first rows by rank. */
export function rankGate(ranks: Int32Array): Gate {
  return (competence) => {
    const size = poolSize(competence, ranks.length)
    return (row) => ranks[row] < size
  }
}

/** Allows rows up to a quantile of the last losses, and rows without a loss yet (NaN). */
export function lossGate(losses: Float64Array, order: ResolvedOptions["order"]): Gate {
  const sign = signOf(order)
  return (competence) => {
    const known = losses.filter((loss) => !Number.isNaN(loss)).map((loss) => sign * loss).sort()
    if (known.length === 0) return () => true
    const last = known[poolSize(competence, known.length) - 1]
    return (row) => !(sign * losses[row] > last)
  }
}
