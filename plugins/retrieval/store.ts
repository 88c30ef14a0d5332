/**
 * An index in tables of a database: texts, sources and vectors.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { DataError } from "../../core/data/data_error.ts"
import type { EmbedError } from "../../core/training/embed.ts"
import type { Encoder } from "./encoder.ts"
import { otherWidth, type PassageIndex, vectorsOf } from "./passage_index.ts"
import { exact } from "./search/exact.ts"
import type { VectorSearch } from "./search/vector_search.ts"

/** Its vector says whether an encoder is the one of an index: weights, pooling, adapters and tokens all play a part in it. */
const PROBE = "Seven quick foxes jump over the lazy dogs of Zürich: 12 + 30 = 42."
/** Least cosine of two vectors of the probe by one encoder: backends and batches differ in last bits. */
const SAME = 0.999

const bytes = (vector: Float32Array): Uint8Array =>
  new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength).slice()
const numbers = (blob: Uint8Array): Float32Array => new Float32Array(blob.slice().buffer)

const failed = (error: SqlError) => {
  const { message = error.message } = (error.reason.cause ?? {}) as { readonly message?: string }
  return new DataError({ reason: "Unreadable", message: `the index in the database: ${message}`, cause: error })
}

/** Writes an index into a database, in the place of the one that is there: all of it, or nothing. */
export function save(
  { encoder, passages, vectors: { width, values } }: PassageIndex,
): Effect.Effect<void, DataError | EmbedError, SqlClient | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const sql = yield* SqlClient
    const [probe] = yield* encoder.embed([PROBE], "passage")
    const rows = passages.map((passage, i) => ({
      id: i,
      ...passage,
      vector: bytes(values.subarray(i * width, (i + 1) * width)),
    }))
    yield* Effect.gen(function* () {
      yield* sql`DROP TABLE IF EXISTS espalier_passages`
      yield* sql`DROP TABLE IF EXISTS espalier_index`
      yield* sql`CREATE TABLE espalier_index (encoder TEXT NOT NULL, width INTEGER NOT NULL, probe BLOB NOT NULL)`
      yield* sql`CREATE TABLE espalier_passages (id INTEGER PRIMARY KEY, source TEXT NOT NULL, begin INTEGER NOT NULL,
        text TEXT NOT NULL, vector BLOB NOT NULL)`
      yield* sql`INSERT INTO espalier_index VALUES (${encoder.name}, ${width}, ${bytes(probe)})`
      for (const { id, source, begin, text, vector } of rows) {
        yield* sql`INSERT INTO espalier_passages VALUES (${id}, ${source}, ${begin}, ${text}, ${vector})`
      }
    }).pipe(sql.withTransaction, Effect.catchTag("SqlError", (error) => Effect.fail(failed(error))))
  })
}

interface About {
  readonly encoder: string
  readonly width: number
  readonly probe: Uint8Array
}
interface StoredPassage {
  readonly source: string
  readonly begin: number
  readonly text: string
  readonly vector: Uint8Array
}

/** What the tables hold. */
const read = Effect.gen(function* () {
  const sql = yield* SqlClient
  const abouts = yield* sql<About>`SELECT encoder, width, probe FROM espalier_index`
  const passages = yield* sql<StoredPassage>`SELECT source, begin, text, vector FROM espalier_passages ORDER BY id`
  return { abouts, passages }
}).pipe(Effect.mapError(failed))

/** Options of {@link open}. */
export interface OpenIndexOptions {
  /** How passages are found. Default: `exact()`. */
  readonly by?: VectorSearch
}

/**
 * The index in a database. Fails with DataError: `Unreadable` without one, `Empty` for one without passages, `BadInput` where
 * another encoder made it.
 */
export function open(
  encoder: Encoder,
  { by = exact() }: OpenIndexOptions = {},
): Effect.Effect<PassageIndex, DataError | EmbedError, SqlClient | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { abouts: [about], passages: stored } = yield* read
    if (about === undefined || stored.length === 0) {
      return yield* new DataError({ reason: "Empty", message: "the index in the database has no passages" })
    }
    const [probe] = yield* encoder.embed([PROBE], "passage")
    if (probe.length !== about.width) return yield* otherWidth(encoder, probe.length, about.width)
    const before = numbers(about.probe)
    const cosine = probe.reduce((sum, value, i) => sum + value * before[i], 0)
    if (!(cosine >= SAME)) {
      const message =
        `the index was made with another encoder (${about.encoder}) than ${encoder.name}: a text that must ` +
        `be the same to both has a cosine of ${cosine.toFixed(3)}; use that one, or make the index anew`
      return yield* new DataError({ reason: "BadInput", message })
    }
    const vectors = vectorsOf(stored.map(({ vector }) => numbers(vector)))
    const passages = stored.map(({ source, begin, text }) => ({ source, begin, text }))
    return { encoder, passages, vectors, found: yield* by.over(vectors) }
  })
}
