import type * as Effect from "effect/Effect"
import type { DataError } from "../../../core/data/data_error.ts"

/** Vectors of length 1. */
export interface Vectors {
  /** Numbers of a vector. */
  readonly width: number
  /** [count, width] numbers, row by row. */
  readonly values: Float32Array
}

/** A vector near a query. */
export interface Near {
  /** Its row. */
  readonly index: number
  /** Its cosine with the query. */
  readonly score: number
}

/** Finds vectors near a query. */
export interface VectorIndex {
  /** At most `count` of them, the nearest first. */
  readonly nearest: (query: Float32Array, count: number) => ReadonlyArray<Near>
}

/** A way to search. */
export interface VectorSearch {
  /** Its name. */
  readonly name: string
  /** Makes ready to search these vectors. */
  readonly over: (vectors: Vectors) => Effect.Effect<VectorIndex, DataError>
}
