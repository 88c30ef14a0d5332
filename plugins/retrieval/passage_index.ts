import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, DataError } from "../../core/data/data_error.ts"
import { dataOptions } from "../../core/data/data_options.ts"
import { TEXTS, wrongArgument } from "../../core/options/argument.ts"
import type { OptionTable } from "../../core/options/field.ts"
import * as field from "../../core/options/fields.ts"
import type { EmbedError } from "../../core/training/embed.ts"
import type { Encoder } from "./encoder.ts"
import { type Document, type Passage, type PassageOptions, passagesOf } from "./passages.ts"
import { exact } from "./search/exact.ts"
import type { VectorIndex, Vectors, VectorSearch } from "./search/vector_search.ts"

/** Options of {@link index}. */
export interface IndexOptions extends PassageOptions {
  /** How passages are found. Default: `exact()`. */
  readonly by?: VectorSearch
}

/** Passages with their vectors. */
export interface PassageIndex {
  /** What embeds passages and queries. */
  readonly encoder: Encoder
  /** The passages, in the order of the documents. */
  readonly passages: ReadonlyArray<Passage>
  /** Their vectors, row by row. */
  readonly vectors: Vectors
  /** Finds vectors. */
  readonly found: VectorIndex
}

/** A passage near a query. */
export interface Found extends Passage {
  /** Its row in the index. */
  readonly index: number
  /** Cosine of its vector with that of the query. */
  readonly score: number
}

/** Options of {@link search}. */
export interface SearchOptions {
  /** Most passages a query. Default 4. */
  readonly count?: number
}

/** {@link SearchOptions} as a table. */
export const SEARCH_OPTIONS: OptionTable<SearchOptions> = {
  count: field.integer({ minimum: 1, default: 4, doc: "Most passages of a query" }),
}

/** Vectors as one list. */
export const vectorsOf = (vectors: ReadonlyArray<Float32Array>): Vectors => {
  const width = vectors[0].length
  const values = new Float32Array(vectors.length * width)
  vectors.forEach((vector, i) => values.set(vector, i * width))
  return { width, values }
}

/**
 * Cuts documents into passages and embeds them. Fails with DataError: `Empty` without documents, `EmptyText` for those without
 * text, `BadInput` for wrong options.
 */
export function index(
  encoder: Encoder,
  documents: ReadonlyArray<Document>,
  options: IndexOptions = {},
): Effect.Effect<PassageIndex, DataError | EmbedError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { by = exact(), ...cut } = options
    const passages = yield* attempt(() => passagesOf(documents, cut))
    const vectors = vectorsOf(yield* encoder.embed(passages.map(({ text }) => text), "passage"))
    return { encoder, passages, vectors, found: yield* by.over(vectors) }
  })
}

/** The passages nearest to each query, best first. Fails with DataError `BadInput` for wrong options or queries. */
export function search(
  { encoder, passages, found, vectors: { width } }: PassageIndex,
  queries: ReadonlyArray<string>,
  options: SearchOptions = {},
): Effect.Effect<ReadonlyArray<ReadonlyArray<Found>>, DataError | EmbedError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { count } = yield* attempt(() => dataOptions(SEARCH_OPTIONS, options))
    const wrong = wrongArgument("queries", queries, TEXTS)
    if (wrong !== undefined) return yield* new DataError({ reason: "BadInput", message: wrong })
    const vectors = yield* encoder.embed(queries, "query")
    const other = vectors.find((vector) => vector.length !== width)
    if (other !== undefined) return yield* otherWidth(encoder, other.length, width)
    return vectors.map((query) =>
      found.nearest(query, count).map(({ index, score }) => ({ ...passages[index], index, score }))
    )
  })
}

/** The error for an index of vectors of another width. */
export const otherWidth = ({ name }: Encoder, own: number, width: number): DataError =>
  new DataError({
    reason: "BadInput",
    message: `${name} gives vectors of ${own} numbers, the index has vectors of ${width}: ` +
      "use the encoder that the index was made with, or make the index anew",
  })
