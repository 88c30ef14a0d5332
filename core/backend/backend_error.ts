import * as Data from "effect/Data"

/** Fields of a {@link BackendError}. */
export interface BackendErrorFields {
  /** Kind of failure. */
  readonly reason: "Unsupported" | "OutOfMemory" | "Compile" | "Run" | "BadInput" | "Lost"
  /** What happened, where, and what to do. */
  readonly message: string
  /** The underlying failure. */
  readonly cause?: unknown
}
/** A backend failed. */
export class BackendError extends Data.Error<BackendErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "BackendError" = "BackendError"
  /** Shown in stack traces. */
  override readonly name: string = "BackendError"
}

/** A number of bytes in MiB, for messages. */
export const mebibytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(1)} MiB`
