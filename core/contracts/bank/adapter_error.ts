import * as Data from "effect/Data"

/** What an {@link AdapterError} holds. */
export interface AdapterErrorFields {
  /**
   * Kind of failure. `Unknown`: no adapter of this name is loaded. `Taken`: one is loaded, or is being loaded. `Base`: it was
   * made for another model. `Size`: it is larger than the bank's adapters may be. `Targets`: it changes modules that the bank
   * lacks. `Unsupported`: it does what a bank cannot do for each row. `Files`: its files cannot be read, or are not what they
   * must be.
   */
  readonly reason: "Unknown" | "Taken" | "Base" | "Size" | "Targets" | "Unsupported" | "Files"
  /** Name of the adapter. */
  readonly adapter: string
  /** What is wrong, and what to do. */
  readonly message: string
  /** The error behind it. */
  readonly cause?: unknown
}

/** An adapter cannot be loaded into a bank, or is not there. */
export class AdapterError extends Data.Error<AdapterErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "AdapterError" = "AdapterError"
  /** Shown in stack traces. */
  override readonly name: string = "AdapterError"
}
