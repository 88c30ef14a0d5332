import * as Data from "effect/Data"

/** Fields of a {@link TrainingError}. */
export interface TrainingErrorFields {
  /** Kind of failure. */
  readonly reason:
    /** An option is out of range, or options contradict each other. */
    | "Options"
    /** No parameter trains. */
    | "NothingTrains"
    /** Every label is masked. */
    | "AllMasked"
    /** The first steps had gradients of exactly zero. */
    | "ZeroGradient"
    /** A loss or gradient is not finite. */
    | "NotFinite"
    /** A source of batches fails, or draws a row that does not exist. */
    | "Batches"
    /** A checkpoint is missing, damaged or from another run. */
    | "Checkpoint"
  /** Description, with what to do. */
  readonly message: string
  /** Number of the step, from 1. */
  readonly step?: number
  /** Directory of the last checkpoint before the step. */
  readonly checkpoint?: string
}

/** A run cannot start or cannot continue. */
export class TrainingError extends Data.Error<TrainingErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "TrainingError" = "TrainingError"
  /** Shown in stack traces. */
  override readonly name: string = "TrainingError"
}
