import * as Data from "effect/Data"

/** What a {@link ShapeError} holds. */
export interface ShapeErrorFields {
  /** The shapes that do not fit, and where. */
  readonly message: string
}

/** Operands whose shapes or types do not fit an operation. Thrown while a graph is built, before anything runs. */
export class ShapeError extends Data.Error<ShapeErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "ShapeError" = "ShapeError"
  /** Shown in stack traces. */
  override readonly name: string = "ShapeError"
}
