import * as Data from "effect/Data"

/** What a {@link DecisionError} holds. */
export interface DecisionErrorFields {
  /** Kind of failure. `Question`: a question or request; `Config`: a `decision.json`; `Labels`: labels are no single tokens. */
  readonly reason: "Question" | "Config" | "Labels"
  /** What is wrong, where, and what to do. */
  readonly message: string
}
/** A decision cannot be asked for. */
export class DecisionError extends Data.Error<DecisionErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "DecisionError" = "DecisionError"
  /** Shown in stack traces. */
  override readonly name: string = "DecisionError"
}
