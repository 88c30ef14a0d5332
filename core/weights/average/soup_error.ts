import * as Data from "effect/Data"

/** What a {@link SoupError} holds. */
export interface SoupErrorFields {
  /**
   * Kind of failure. `Options`: they make no sense. `Mismatch`: what is averaged does not belong together. `Inexact`: the
   * file holds the average less exactly than the tolerance.
   */
  readonly reason: "Options" | "Mismatch" | "Inexact"
  /** Name of the tensor that it failed at, where there is one. */
  readonly tensor?: string
  /** What is wrong, and what to do. */
  readonly message: string
}
/** Files cannot be averaged as asked; nothing was written. */
export class SoupError extends Data.Error<SoupErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "SoupError" = "SoupError"
  /** Shown in stack traces. */
  override readonly name: string = "SoupError"
}
