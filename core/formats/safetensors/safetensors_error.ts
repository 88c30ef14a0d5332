import * as Data from "effect/Data"

/** What a {@link SafetensorsError} holds. */
export interface SafetensorsErrorFields {
  /**
   * Kind of failure. `Truncated`: the file ends too early. `Header`: the header, or a checkpoint's index, is not what
   * the format asks for. `Dtype`: the element type is unknown, or not one that can be read as numbers. `Shape`: wrong
   * shape. `Missing`, `Unexpected`: names. `Callback`: the caller's sink or source failed.
   */
  readonly reason: "Truncated" | "Header" | "Dtype" | "Shape" | "Missing" | "Unexpected" | "Callback"
  /** The file, or the directory of a checkpoint. */
  readonly file: string
  /** What happened, where, and what to do. */
  readonly message: string
  /** The underlying failure. */
  readonly cause?: unknown
}
/** A safetensors file cannot be used, or cannot be written as asked. */
export class SafetensorsError extends Data.Error<SafetensorsErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "SafetensorsError" = "SafetensorsError"
  /** Shown in stack traces. */
  override readonly name: string = "SafetensorsError"
}
