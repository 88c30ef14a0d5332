import * as Data from "effect/Data"

/** What a {@link BackendError} holds. */
export interface BackendErrorFields {
  /** Kind of failure. */
  readonly reason: "Unsupported" | "OutOfMemory" | "Compile" | "Run" | "BadInput" | "Lost"
  /** What happened, where, and what to do. */
  readonly message: string
  /** The underlying failure. */
  readonly cause?: unknown
}
/** A backend could not do what it was asked. */
export class BackendError extends Data.Error<BackendErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "BackendError" = "BackendError"
  /** Shown in stack traces. */
  override readonly name: string = "BackendError"
}
