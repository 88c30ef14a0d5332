import * as Data from "effect/Data"

/** What a {@link PluginError} holds. */
export interface PluginErrorFields {
  /** Id of the plugin that cannot work, or `"plugins"`. */
  readonly plugin: string
  /** What does not fit, and what to do. */
  readonly message: string
}

/** Plugins that cannot work: with this model, with each other, or at all. Raised before any weight is loaded. */
export class PluginError extends Data.Error<PluginErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "PluginError" = "PluginError"
  /** Shown in stack traces. */
  override readonly name: string = "PluginError"
}
