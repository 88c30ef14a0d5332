import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../../core/contracts/attempt.ts"
import type { Data } from "../../../core/data/data.ts"
import type { Model } from "../../../core/model/model.ts"
import type { EvaluateError } from "../../../core/training/evaluate.ts"
import type { EmbedError } from "../../../core/training/embed.ts"
import { MonitorError } from "../monitor_error.ts"
import { momentsOf } from "./moments.ts"
import { observeData, type ObserveOptions } from "./observe.ts"
import { EMBEDDING, type Observation, type Sample, sampleOf } from "./sample.ts"

/** How a model answers rows that are as those it was made for: the reference of a monitor. It has no text. */
export interface Profile {
  /** Labels of the task; empty if it has none. */
  readonly labels: ReadonlyArray<string>
  /** Tokens to which texts were cut. Default: they were not. */
  readonly maxLength?: number
  /** The rows, as numbers. */
  readonly sample: Sample
}

/** Options of {@link profile}. */
export interface ProfileOptions extends ObserveOptions {
  /** Rows that are taken, evenly spaced, at least 40. Default 1000. */
  readonly rows?: number
}

const LEAST_ROWS = 40
const MOST_ROWS = 1000

/**
 * Profile of a model on rows that it was not trained on, such as the test split: lengths, unknown tokens, embeddings with
 * mean and covariance, answers with their confidence, and where rows have answers, whether the model's are right, and its
 * loss. 4 bytes for each number of an embedding and 8 for each other, and the covariance; of embeddings wider than 512 a
 * projection.
 */
export function profile(
  model: Model,
  data: Data,
  { rows = MOST_ROWS, ...options }: ProfileOptions = {},
): Effect.Effect<Profile, MonitorError | EvaluateError | EmbedError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    if (!Number.isInteger(rows) || rows < LEAST_ROWS) {
      const message = `rows must be a whole number from ${LEAST_ROWS}, got ${rows}`
      return yield* new MonitorError({ reason: "Options", message })
    }
    const every = Math.max(1, data.rows.length / rows)
    const some = Array.from({ length: Math.min(rows, data.rows.length) }, (_, i) => data.rows[Math.floor(i * every)])
    const observations = yield* observeData(model, { ...data, rows: some }, options)
    const { maxLength } = options
    return yield* profileFrom(observations, {
      labels: model.task.labels ?? [],
      ...maxLength === undefined ? {} : { maxLength },
    })
  })
}

/**
 * A profile from observations, such as those of the first days of a new adapter. A column is in it where each row has its
 * number. Fails with {@link MonitorError} `Profile` for fewer than 40 rows.
 */
export function profileFrom(
  observations: ReadonlyArray<Observation>,
  about: Omit<Profile, "sample">,
): Effect.Effect<Profile, MonitorError> {
  return attempt(() => {
    if (observations.length < LEAST_ROWS) {
      const message = `a profile needs at least ${LEAST_ROWS} rows, got ${observations.length}`
      throw new MonitorError({ reason: "Profile", message })
    }
    const names = new Set(observations.flatMap(({ numbers }) => Object.keys(numbers)))
    const whole = [...names].filter((name) => observations.every(({ numbers }) => Number.isFinite(numbers[name])))
    if (observations.every(({ label }) => label !== undefined)) whole.push("label")
    if (observations.every(({ embedding }) => embedding !== undefined)) whole.push(EMBEDDING)
    const sample = sampleOf(observations, whole, about.labels)
    const { embeddings } = sample
    if (embeddings === undefined) return { ...about, sample }
    return { ...about, sample: { ...sample, embeddings: { ...embeddings, moments: momentsOf(embeddings) } } }
  }, MonitorError)
}
