import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

export { listPlaces } from "./table/list_places.ts"

/** What a {@link DataError} holds. */
export interface DataErrorFields {
  /** Kind of failure. */
  readonly reason:
    | "NotFound"
    | "Unreadable"
    | "UnknownFormat"
    | "Malformed"
    | "MissingColumn"
    | "Empty"
    | "EmptyText"
    | "Label"
    | "Split"
    | "TooLong"
    | "AllMasked"
    | "Tokenizer"
    | "BadInput"
  /** What happened, where, and what to do. */
  readonly message: string
  /** Lines of the file (or 1-based rows of an array) that are at fault, all of them. */
  readonly rows?: ReadonlyArray<number>
  /** The underlying failure. */
  readonly cause?: unknown
}

/** The data, or how it was asked for, is not usable. */
export class DataError extends Data.Error<DataErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "DataError" = "DataError"
  /** Shown in stack traces. */
  override readonly name: string = "DataError"
}

/** Runs a function that may throw a {@link DataError}; anything else that it throws is a defect. */
export const attempt = <A>(run: () => A): Effect.Effect<A, DataError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return error instanceof DataError ? Effect.fail(error) : Effect.die(error)
    }
  })
