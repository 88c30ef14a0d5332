import * as Data from "effect/Data"

/** What a {@link RunFolderError} holds. */
export interface RunFolderErrorFields {
  /**
   * `HoldsRun`: another run lies there. `NotEmpty`: other files lie there. `NoRun`: there is nothing to resume.
   * `ConfigDiffers`: the run there was started with another configuration.
   */
  readonly reason: "HoldsRun" | "NotEmpty" | "NoRun" | "ConfigDiffers"
  /** The run folder. */
  readonly path: string
  /** What is wrong, and what to do. */
  readonly message: string
  /** Dotted names of the configuration's differing fields; empty but for `ConfigDiffers`. */
  readonly fields: ReadonlyArray<string>
}
/** A run cannot be kept in the folder that was named. */
export class RunFolderError extends Data.Error<RunFolderErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "RunFolderError" = "RunFolderError"
  /** Shown in stack traces. */
  override readonly name: string = "RunFolderError"
}
