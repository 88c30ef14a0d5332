import * as Data from "effect/Data"

/** What a {@link GgufError} holds. */
export interface GgufErrorFields {
  /**
   * Kind of failure. `Truncated`: the file ends too early. `Header`: magic, version, counts, metadata or tensor infos
   * are not what the format asks for. `Type`: a tensor of a type that cannot be read or written. `Shape`: wrong shape,
   * or rows that are no whole blocks. `Value`: numbers that the type cannot hold. `Missing`, `Unexpected`: keys or
   * tensors. `Callback`: the caller's source or sink failed.
   */
  readonly reason: "Truncated" | "Header" | "Type" | "Shape" | "Value" | "Missing" | "Unexpected" | "Callback"
  /** The file. */
  readonly file: string
  /** What happened, where, and what to do. */
  readonly message: string
  /** The underlying failure. */
  readonly cause?: unknown
}
/** A GGUF file cannot be used, or cannot be written as asked. */
export class GgufError extends Data.Error<GgufErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "GgufError" = "GgufError"
  /** Shown in stack traces. */
  override readonly name: string = "GgufError"
}
