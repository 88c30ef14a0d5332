/**
 * What a server measures, through Effect's metrics: at `/metrics` for Prometheus, and to a collector where there is a layer
 * of `effect/observability/Otlp`.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Served } from "./served.ts"

const SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300]

const requests = Metric.counter("espalier_requests_total", {
  description: "Requests that were answered, by route and status; 499 where the client left",
  incremental: true,
})
const duration = Metric.histogram("espalier_request_seconds", {
  description: "Time from a request to the end of its answer",
  boundaries: SECONDS,
})
const firstPiece = Metric.histogram("espalier_first_piece_seconds", {
  description: "Time from the begin of an answer to its first piece",
  boundaries: SECONDS,
})
const promptTokens = Metric.counter("espalier_prompt_tokens_total", {
  description: "Tokens that were read",
  incremental: true,
})
const madeTokens = Metric.counter("espalier_generated_tokens_total", {
  description: "Tokens that were written",
  incremental: true,
})
const rows = Metric.gauge("espalier_rows", { description: "Rows that run or wait" })
const adapters = Metric.gauge("espalier_adapters", { description: "Adapters that are loaded" })

/** Counts a request whose answer has ended. */
export const answered = (route: string, status: number, seconds: number): Effect.Effect<void> =>
  Effect.andThen(
    Metric.update(Metric.withAttributes(requests, { route, status: `${status}` }), 1),
    Metric.update(Metric.withAttributes(duration, { route }), seconds),
  )

/** Counts the tokens of an answer, or of one in parts. */
export const tokens = (model: string, prompt: number, made: number): Effect.Effect<void> =>
  Effect.andThen(
    Metric.update(Metric.withAttributes(promptTokens, { model }), prompt),
    Metric.update(Metric.withAttributes(madeTokens, { model }), made),
  )

/** Takes down how long the first piece of an answer took. */
export const began = (model: string, seconds: number): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(firstPiece, { model }), seconds)

/** Takes down what is there now. */
export const levels = (models: ReadonlyArray<Served>): Effect.Effect<void> =>
  Effect.forEach(models, ({ id, places, adapters: slots }) =>
    Effect.andThen(
      Metric.update(Metric.withAttributes(rows, { model: id }), places.taken()),
      Metric.update(Metric.withAttributes(adapters, { model: id }), slots?.loaded().size ?? 0),
    ), { discard: true })
