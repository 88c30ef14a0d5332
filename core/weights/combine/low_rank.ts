/**
 * Updates of one weight, combined in weight space in float64: products of factors, not factors, are what is added.
 * @module
 */
import { makeRng } from "../../tensor/operations/random.ts"
import { type Matrix, product, smallSvd, subspaceSvd, thinQr, transposed } from "./decompose.ts"

/** A low-rank matrix: b a. */
export interface Factors {
  /** [rows, r]. */
  readonly b: Matrix
  /** [r, columns]. */
  readonly a: Matrix
}

/** One adapter's update of a weight, and how much of it is wanted. */
export interface Term extends Factors {
  /** The adapter's own factor of b a. */
  readonly scale: number
  /** Its weight in the combination; may be negative. */
  readonly weight: number
}

/** A matrix by its rows: adds row i to `into`. */
export type AddRow = (row: number, into: Float64Array) => void

/** How whole updates become one. */
export interface MergeRule {
  /** What becomes of each update's elements first: the greatest by magnitude stay, or random ones, rescaled. */
  readonly prune: "magnitude" | "random"
  /** Whether elements whose sign lost the vote are left out, and the others averaged; else all are added. */
  readonly elect: boolean
  /** Share of the elements that stays. */
  readonly density: number
  /** The vote: by sums, or by counts. */
  readonly majoritySignMethod: "total" | "frequency"
  /** Seed of the random choice. */
  readonly seed: number
  /** Number of its stream: the module's. */
  readonly stream: number
}

/** weight scale b a. */
export function termRows({ a, b, scale, weight }: Term): AddRow {
  return productRows({ a, b }, scale * weight)
}

/** factor b a. */
export function productRows({ a, b }: Factors, factor = 1): AddRow {
  return (row, into) => {
    for (let k = 0; k < a.rows; k++) {
      const part = factor * b.data[row * b.columns + k]
      const from = k * a.columns
      for (let j = 0; j < a.columns; j++) into[j] += part * a.data[from + j]
    }
  }
}

/** The weighted sum of updates as it is, at the sum of their ranks. Weights and scales go into a. */
export function concatenated(terms: ReadonlyArray<Term>): Factors {
  const [{ b: { rows }, a: { columns } }] = terms
  const rank = terms.reduce((sum, { a }) => sum + a.rows, 0)
  const [a, b] = [new Float64Array(rank * columns), new Float64Array(rows * rank)]
  let at = 0
  for (const { a: own, b: ownB, scale, weight } of terms) {
    own.data.forEach((value, i) => a[at * columns + i] = weight * scale * value)
    for (let i = 0; i < rows; i++) {
      b.set(ownB.data.subarray(i * own.rows, (i + 1) * own.rows), i * rank + at)
    }
    at += own.rows
  }
  return { a: { rows: rank, columns, data: a }, b: { rows, columns: rank, data: b } }
}

/** A low-rank matrix by its singular values, falling: b holds them, a's rows are orthonormal. Never forms the matrix. */
export interface Decomposed extends Factors {
  readonly values: Float64Array
}

/** Singular values of a product of factors: those of the product of their triangles. */
export function decomposed({ a, b }: Factors): Decomposed {
  const left = thinQr(b, Math.min(b.rows, b.columns))
  const right = thinQr(transposed(a), Math.min(a.rows, a.columns))
  const core = product(left.r, transposed(right.r))
  const { left: u, values, right: v } = smallSvd(core)
  return { values, ...scaled(product(left.q, u), values, product(v, transposed(right.q))) }
}

/**
 * The greatest singular values of a whole matrix. Subspace iteration from a fixed start with 16 directions to spare
 * (Halko et al. 2011): exact where they reach the matrix's own rank.
 */
export function nearest(matrix: Matrix, rank: number): Decomposed {
  const most = Math.min(matrix.rows, matrix.columns)
  const { left, values, right } = subspaceSvd(matrix, Math.min(rank + 16, most), 6)
  return { values, ...scaled(left, values, right) }
}

function scaled(left: Matrix, values: Float64Array, a: Matrix): Factors {
  return { a, b: { ...left, data: left.data.map((value, i) => value * values[i % left.columns]) } }
}

/** The first `rank` columns of b and rows of a; zeros where there are fewer. */
export function truncated({ a, b }: Factors, rank: number): Factors {
  const kept = Math.min(rank, a.rows)
  const [first, columns] = [new Float64Array(rank * a.columns), new Float64Array(b.rows * rank)]
  first.set(a.data.subarray(0, kept * a.columns))
  for (let i = 0; i < b.rows; i++) columns.set(b.data.subarray(i * b.columns, i * b.columns + kept), i * rank)
  return { a: { rows: rank, columns: a.columns, data: first }, b: { rows: b.rows, columns: rank, data: columns } }
}

/** The least rank, from 1, at which what is left out is at most `tolerance` of the whole (Frobenius norms). */
export function leastRank(values: Float64Array, tolerance: number): number {
  const whole = values.reduce((sum, value) => sum + value * value, 0)
  let [rest, rank] = [0, values.length]
  while (rank > 1 && rest + values[rank - 1] ** 2 <= tolerance ** 2 * whole) rest += values[--rank] ** 2
  return rank
}

/**
 * Whole updates, merged: TIES (Yadav et al. 2023, algorithm 1) and DARE (Yu et al. 2023, eq. 3). A negative weight turns
 * its update's sign before the vote; magnitudes of weights count after it, as in PEFT.
 */
export function merged(terms: ReadonlyArray<Term>, rule: MergeRule): Matrix {
  const { rows } = terms[0].b
  const { columns } = terms[0].a
  const updates = terms.map((term, i) => {
    const data = new Float64Array(rows * columns)
    const addRow = productRows(term, term.scale * Math.sign(term.weight))
    for (let row = 0; row < rows; row++) addRow(row, data.subarray(row * columns, (row + 1) * columns))
    return rule.prune === "magnitude" ? trim(data, rule.density) : drop(data, rule, i)
  })
  const weights = terms.map(({ weight }) => Math.abs(weight))
  const data = new Float64Array(rows * columns)
  for (let at = 0; at < data.length; at++) {
    let [sum, count] = [0, 0]
    const sign = rule.elect ? electedSign(updates, at, rule.majoritySignMethod) : 0
    for (let i = 0; i < updates.length; i++) {
      const value = updates[i][at]
      if (sign !== 0 && Math.sign(value) !== sign) continue
      sum += weights[i] * value
      count++
    }
    data[at] = rule.elect ? sum / Math.max(1, count) : sum
  }
  return { rows, columns, data }
}

function electedSign(updates: ReadonlyArray<Float64Array>, at: number, method: "total" | "frequency"): number {
  let votes = 0
  for (const update of updates) votes += method === "total" ? update[at] : Math.sign(update[at])
  return votes >= 0 ? 1 : -1
}

/** Keeps the greatest magnitudes, as many as the density says; of equal ones the first. */
function trim(data: Float64Array, density: number): Float64Array {
  const count = Math.floor(density * data.length)
  const sorted = data.map(Math.abs).sort()
  const least = sorted[data.length - count] ?? Infinity
  let equal = count - sorted.reduce((above, value) => above + (value > least ? 1 : 0), 0)
  for (let i = 0; i < data.length; i++) {
    const size = Math.abs(data[i])
    if (size < least || (size === least && equal-- <= 0)) data[i] = 0
  }
  return data
}

/** Drops elements at random and rescales what stays, so that the expectation remains. */
function drop(data: Float64Array, { density, seed, stream }: MergeRule, adapter: number): Float64Array {
  const rng = makeRng(seed, stream, adapter)
  return data.map((value) => rng.float() < density ? value / density : 0)
}

/** How far two matrices are apart, and the norm of what is wanted: Frobenius, row by row. */
export function distance(
  rows: number,
  columns: number,
  wanted: AddRow,
  got: AddRow,
): { readonly distance: number; readonly norm: number } {
  let [distance, norm] = [0, 0]
  const [ours, theirs] = [new Float64Array(columns), new Float64Array(columns)]
  for (let row = 0; row < rows; row++) {
    ours.fill(0)
    theirs.fill(0)
    wanted(row, theirs)
    got(row, ours)
    for (let j = 0; j < columns; j++) {
      distance += (ours[j] - theirs[j]) ** 2
      norm += theirs[j] ** 2
    }
  }
  return { distance: Math.sqrt(distance), norm: Math.sqrt(norm) }
}
