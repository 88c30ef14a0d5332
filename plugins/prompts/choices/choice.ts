import type { Vectors } from "../../retrieval/mod.ts"

/** Examples to choose from. */
export interface Pool {
  /** The class of each. */
  readonly labels: ReadonlyArray<string>
  /** Their vectors of length 1, row by row, where the choice asks for them. */
  readonly vectors?: Vectors
}

/** Rows of a pool for a query, the best first. */
export type Ranking = (query: Float32Array | undefined) => ReadonlyArray<number>

/** A way to choose examples. */
export interface Choice {
  /** Its name. */
  readonly name: string
  /** Whether it looks at vectors of the examples, and of the query where it has one. */
  readonly embeds: boolean
  /** Makes ready to choose `count` examples of a pool. */
  readonly from: (pool: Pool, count: number) => Ranking
}

/** The vector of a row. */
export const vectorOf = ({ width, values }: Vectors, row: number): Float32Array =>
  values.subarray(row * width, (row + 1) * width)

/** The product of two vectors: of length 1, their cosine. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** Rows by falling values; equal ones in their order. */
export const descending = (values: ArrayLike<number>): ReadonlyArray<number> =>
  Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[b] - values[a] || a - b)
