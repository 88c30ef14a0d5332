import * as Data from "effect/Data"

/** What a {@link TrainingError} holds. */
export interface TrainingErrorFields {
  /** Kind of failure. */
  readonly reason:
    /** An option out of range, or options that contradict each other. */
    | "Options"
    /** No parameter would get a gradient. */
    | "NothingTrains"
    /** Every label is masked. */
    | "AllMasked"
    /** The first steps had gradients of exactly zero. */
    | "ZeroGradient"
    /** A loss or gradient that is not finite. */
    | "NotFinite"
    /** A source of batches that fails, or draws what is not there. */
    | "Batches"
    /** A checkpoint that is missing, damaged or another run's. */
    | "Checkpoint"
  /** What happened, where, and what to do. */
  readonly message: string
  /** Optimizer step at which it happened, from 1. */
  readonly step?: number
  /** Directory of the last checkpoint before it. */
  readonly checkpoint?: string
}

/** A run that cannot begin, or must not go on. */
export class TrainingError extends Data.Error<TrainingErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "TrainingError" = "TrainingError"
  /** Shown in stack traces. */
  override readonly name: string = "TrainingError"
}
