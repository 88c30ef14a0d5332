import * as Data from "effect/Data"

/** Fields of a {@link RunFolderError}. */
export interface RunFolderErrorFields {
  /**
   * `HoldsRun`: the folder has another run. `NotEmpty`: it has other files. `NoRun`: there is no run to resume.
   * `ConfigDiffers`: the run was started with another configuration.
   */
  readonly reason: "HoldsRun" | "NotEmpty" | "NoRun" | "ConfigDiffers"
  /** The run folder. */
  readonly path: string
  /** What is wrong, and what to do. */
  readonly message: string
  /** Dotted names of differing fields of the configuration, for `ConfigDiffers`; otherwise empty. */
  readonly fields: ReadonlyArray<string>
}

/** A folder cannot be used for a run. */
export class RunFolderError extends Data.Error<RunFolderErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "RunFolderError" = "RunFolderError"
  /** Shown in stack traces. */
  override readonly name: string = "RunFolderError"
}
