import * as Data from "effect/Data"

/** Fields of an {@link AdapterHubError}. */
export interface AdapterHubErrorFields {
  /**
   * Kind of failure. `Config`: a config file is invalid. `Unsupported`: it uses a feature that is not supported.
   * `Mismatch`: it belongs to other options or another model. `Weights`: missing, unexpected or wrongly shaped tensors.
   */
  readonly reason: "Config" | "Unsupported" | "Mismatch" | "Weights"
  /** The file. */
  readonly file: string
  /** What is wrong, and what to do. */
  readonly message: string
}
/** An adapter in AdapterHub's format cannot be used, or cannot be written. */
export class AdapterHubError extends Data.Error<AdapterHubErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "AdapterHubError" = "AdapterHubError"
  /** Shown in stack traces. */
  override readonly name: string = "AdapterHubError"
}
