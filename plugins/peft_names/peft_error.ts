import * as Data from "effect/Data"

/** What a {@link PeftError} holds. */
export interface PeftErrorFields {
  /**
   * Kind of failure. `Config`: `adapter_config.json` is not what it must be. `Unsupported`: it asks for what is not
   * known here. `Mismatch`: it belongs to other options than those in use. `Weights`: missing, unexpected or wrongly
   * shaped tensors.
   */
  readonly reason: "Config" | "Unsupported" | "Mismatch" | "Weights"
  /** The file. */
  readonly file: string
  /** What is wrong, and what to do. */
  readonly message: string
}
/** An adapter in PEFT's format cannot be used, or cannot be written. */
export class PeftError extends Data.Error<PeftErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "PeftError" = "PeftError"
  /** Shown in stack traces. */
  override readonly name: string = "PeftError"
}

/** The error of a file; the message begins with it. */
export function peftError(reason: PeftError["reason"], file: string, what: string): PeftError {
  return new PeftError({ reason, file, message: `${file}: ${what}` })
}
