import * as Data from "effect/Data"

/** What a {@link CombineError} holds. */
export interface CombineErrorFields {
  /**
   * Kind of failure. `Options`: they make no sense. `Unsupported`: an adapter's update cannot be computed from its files
   * alone. `Mismatch`: adapters do not belong together. `Inexact`: the result is further from what it stands for than the
   * tolerance.
   */
  readonly reason: "Options" | "Unsupported" | "Mismatch" | "Inexact"
  /** Path of the module that it failed at, where there is one. */
  readonly module?: string
  /** What is wrong, and what to do. */
  readonly message: string
}
/** Adapters cannot be combined as asked; nothing was written. */
export class CombineError extends Data.Error<CombineErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "CombineError" = "CombineError"
  /** Shown in stack traces. */
  override readonly name: string = "CombineError"
}
