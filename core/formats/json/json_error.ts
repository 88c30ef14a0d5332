import * as Data from "effect/Data"

/** What a {@link JsonError} holds. */
export interface JsonErrorFields {
  /** `Syntax`: not JSON. `Value`: JSON, but a value is missing or not what it must be. */
  readonly reason: "Syntax" | "Value"
  /** The file. */
  readonly file: string
  /** What is wrong, with the value quoted. */
  readonly message: string
  /** Line of a syntax error, from 1. */
  readonly line?: number
  /** Column of a syntax error, from 1. */
  readonly column?: number
}
/** A JSON file does not hold what it must. */
export class JsonError extends Data.Error<JsonErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "JsonError" = "JsonError"
  /** Shown in stack traces. */
  override readonly name: string = "JsonError"
}
