import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** Fields of a {@link DataError}. */
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
    | "Template"
    | "BadInput"
  /** What happened, where, and what to do. */
  readonly message: string
  /** All lines of the file (or 1-based rows of an array) at fault. */
  readonly rows?: ReadonlyArray<number>
  /** The underlying failure. */
  readonly cause?: unknown
}

/** The data or its options cannot be used. */
export class DataError extends Data.Error<DataErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "DataError" = "DataError"
  /** Shown in stack traces. */
  override readonly name: string = "DataError"
}

/** "lines 3, 9, 12, 40, 41 and 7 more": the first few places and how many there are. */
export const listPlaces = (unit: "line" | "row", places: ReadonlyArray<number>): string => {
  const shown = places.slice(0, 5).join(", ")
  const more = places.length > 5 ? ` and ${places.length - 5} more` : ""
  return `${unit}${places.length === 1 ? "" : "s"} ${shown}${more}`
}

/** `"a", "b"`: texts in quotes. */
export const quoted = (texts: Iterable<string>): string => [...texts].map((text) => JSON.stringify(text)).join(", ")

/** The error for rows at fault: what is wrong, where, and what to do. */
export const rowsError = (
  reason: DataErrorFields["reason"],
  { source, unit }: { readonly source: string; readonly unit: "line" | "row" },
  places: ReadonlyArray<number>,
  what: string,
  advice = "",
): DataError => {
  const rows = [...new Set(places)]
  return new DataError({ reason, message: `${source}${what} in ${listPlaces(unit, rows)}${advice}`, rows })
}

/** Runs a function that may throw a {@link DataError}; any other error is a defect. */
export const attempt = <A>(run: () => A): Effect.Effect<A, DataError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return error instanceof DataError ? Effect.fail(error) : Effect.die(error)
    }
  })
