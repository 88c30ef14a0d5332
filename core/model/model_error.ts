import * as Data from "effect/Data"

/** What a {@link ModelError} holds. */
export interface ModelErrorFields {
  /**
   * Kind of failure. `UnknownModelType`: no family knows the model. `Task`: task and model do not fit. `Unsupported`:
   * what was asked cannot be done with this model. `Seed`: not a seed.
   * `Weights`: what weights are to be kept in is unknown or does not hold one.
   */
  readonly reason: "UnknownModelType" | "Task" | "Unsupported" | "Options" | "Weights"
  /** What happened, where, and what to do. */
  readonly message: string
}
/** A model cannot be built, loaded or saved as asked. */
export class ModelError extends Data.Error<ModelErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "ModelError" = "ModelError"
  /** Shown in stack traces. */
  override readonly name: string = "ModelError"
}
