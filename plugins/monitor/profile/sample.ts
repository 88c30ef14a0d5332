/**
 * Rows that a model answered, as columns of numbers: what statistics compare. No text.
 * @module
 */
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { MonitorError } from "../monitor_error.ts"
import type { Moments } from "./moments.ts"

/** What is kept of one text that a model answered. */
export interface Observation {
  /**
   * Numbers by column: `length` in tokens, `unknown` (share of unknown tokens), `pieces` (tokens a word), `confidence`
   * (probability of the answer, 0 to 1), `surprise` (nats a token of the text, of language models); of judged answers
   * `correct` (0 or 1) and `loss` (nats). A program may add columns of its own.
   */
  readonly numbers: Readonly<Record<string, number>>
  /** The answer, where it is one of several labels. */
  readonly label?: string
  /** Embedding of the text, [width]. */
  readonly embedding?: Float32Array
}

/** Embeddings of all rows, and what is known of their distribution. */
export interface Embeddings {
  /** Numbers a row. */
  readonly width: number
  /** [rows, width]. */
  readonly values: Float32Array
  /** Mean and covariance, where they have been computed. */
  readonly moments?: Moments
}

/** Rows as columns. */
export interface Sample {
  /** Number of rows. */
  readonly rows: number
  /** Numbers by column, each [rows]; `label` has ids. */
  readonly columns: Readonly<Record<string, Float64Array>>
  /** Embeddings, if each row has one. */
  readonly embeddings?: Embeddings
}

/** Name of the column of embeddings in {@link Statistic.columns}. */
export const EMBEDDING = "embedding"

/** Wider embeddings are projected to this width. */
const MOST_WIDTH = 512

/** Id of a label that the reference does not have. */
export const OTHER_LABEL = -1

/**
 * Observations as a sample of the wanted columns. Throws {@link MonitorError} `Observation` where a row lacks one, or has a
 * number that is not finite. Embeddings wider than 512 are projected.
 */
export function sampleOf(
  observations: ReadonlyArray<Observation>,
  wanted: Iterable<string>,
  labels: ReadonlyArray<string>,
): Sample {
  const columns: Record<string, Float64Array> = {}
  const ids = new Map(labels.map((label, id) => [label, id]))
  for (const name of wanted) {
    if (name === EMBEDDING) continue
    columns[name] = Float64Array.from(observations, ({ numbers, label }, row) => {
      const value = name === "label" ? label === undefined ? NaN : ids.get(label) ?? OTHER_LABEL : numbers[name]
      if (Number.isFinite(value)) return value
      throw lacking(row, name, value)
    })
  }
  const embedded = [...wanted].includes(EMBEDDING)
  return { rows: observations.length, columns, ...embedded ? { embeddings: embeddingsOf(observations) } : {} }
}

function lacking(row: number, name: string, value: number | undefined): MonitorError {
  const message = `observation ${row + 1} has ${value === undefined ? "no" : "as"} ${name}${
    value === undefined ? "" : ` ${value}`
  }: a statistic reads it; give a finite number, or choose statistics without ${name}`
  return new MonitorError({ reason: "Observation", message })
}

function embeddingsOf(observations: ReadonlyArray<Observation>): Embeddings {
  const own = observations.map(({ embedding }, row) => {
    if (embedding === undefined) throw lacking(row, EMBEDDING, undefined)
    if (!embedding.every(Number.isFinite)) throw lacking(row, EMBEDDING, NaN)
    return narrowed(embedding)
  })
  const width = own[0]?.length ?? 0
  const values = new Float32Array(own.length * width)
  own.forEach((embedding, row) => {
    if (embedding.length !== width) {
      const message = `observation ${row + 1} has an embedding of ${embedding.length} numbers, others have ${width}`
      throw new MonitorError({ reason: "Observation", message })
    }
    values.set(embedding, row * width)
  })
  return { width, values }
}

const signs = new Map<number, Int8Array>()

/** Random signs [512, width], the same in every process. */
function signsOf(width: number): Int8Array {
  const known = signs.get(width)
  if (known !== undefined) return known
  const rng = makeRng(0, width)
  const made = Int8Array.from({ length: MOST_WIDTH * width }, () => rng.int(2) === 0 ? -1 : 1)
  signs.set(width, made)
  return made
}

/** An embedding of at most 512 numbers; a wider one by random signs, which keep distances (Achlioptas 2003, theorem 1.1). */
function narrowed(embedding: Float32Array): Float32Array {
  const width = embedding.length
  if (width <= MOST_WIDTH) return embedding
  const matrix = signsOf(width)
  return Float32Array.from({ length: MOST_WIDTH }, (_, i) => {
    let sum = 0
    for (let j = 0; j < width; j++) sum += matrix[i * width + j] * embedding[j]
    return sum / Math.sqrt(MOST_WIDTH)
  })
}
