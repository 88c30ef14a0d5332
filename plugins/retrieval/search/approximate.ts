import { dataOptions } from "../../../core/data/data_options.ts"
import { attempt } from "../../../core/data/data_error.ts"
import type { OptionTable } from "../../../core/options/field.ts"
import * as field from "../../../core/options/fields.ts"
import type { VectorSearch } from "./vector_search.ts"

/** The class `Index` of the package `usearch`, as far as it is used. */
export type UsearchIndex = new (config: never) => {
  /** Adds rows of vectors by their keys. */
  readonly add: (keys: BigUint64Array, vectors: Float32Array, threads: number) => void
  /** The nearest keys of a vector. */
  readonly search: (
    vector: Float32Array,
    k: number,
    threads: number,
  ) => { readonly keys: BigUint64Array; readonly distances: Float32Array }
}

/** Options of {@link approximate}: those of the graph. More of each finds more of the nearest, in more time. */
export interface ApproximateOptions {
  /** Neighbours of a vector. Default 16. */
  readonly connectivity?: number
  /** Candidates while the graph is built. Default 128. */
  readonly expansionAdd?: number
  /** Candidates of a query. Default 64. */
  readonly expansionSearch?: number
}

const OPTIONS: OptionTable<ApproximateOptions> = {
  connectivity: field.integer({ minimum: 2, default: 16, doc: "Neighbours of a vector" }),
  expansionAdd: field.integer({ minimum: 1, default: 128, doc: "Candidates while the graph is built" }),
  expansionSearch: field.integer({ minimum: 1, default: 64, doc: "Candidates of a query" }),
}

/**
 * Searches a graph of neighbours (HNSW: Malkov and Yashunin 2016) of the package `usearch`, for hundreds of thousands of vectors:
 * `approximate(usearch.Index)`. The graph is built from the vectors when an index is made or opened, on one thread, so that it is the
 * same each time. The package is native (Deno with `--allow-ffi`, Node), so that it is yours to install, and to pass. Fails with
 * DataError `BadInput` for wrong options.
 */
export const approximate = (Index: UsearchIndex, options: ApproximateOptions = {}): VectorSearch => ({
  name: "approximate",
  over: ({ width, values }) =>
    attempt(() => {
      const { connectivity, expansionAdd, expansionSearch } = dataOptions(OPTIONS, options)
      const expansion = { expansion_add: expansionAdd, expansion_search: expansionSearch }
      const graph = new Index({ metric: "ip", dimensions: width, connectivity, ...expansion } as never)
      const rows = values.length / width
      graph.add(BigUint64Array.from({ length: rows }, (_, row) => BigInt(row)), values, 1)
      return {
        nearest: (query, count) => {
          const { keys, distances } = graph.search(query, Math.min(count, rows), 1)
          return Array.from(keys, (key, i) => ({ index: Number(key), score: 1 - distances[i] }))
        },
      }
    }),
})
