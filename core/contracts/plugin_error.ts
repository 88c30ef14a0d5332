import * as Data from "effect/Data"

/** Fields of a {@link PluginError}. */
export interface PluginErrorFields {
  /** Id of the plugin, or `"plugins"`. */
  readonly plugin: string
  /** What is wrong, and what to do. */
  readonly message: string
}

/** Plugins do not work with this model, with each other, or with these options. Raised before weights are loaded. */
export class PluginError extends Data.Error<PluginErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "PluginError" = "PluginError"
  /** Shown in stack traces. */
  override readonly name: string = "PluginError"
}

/** The error of a plugin; the message begins with its id. */
export function pluginError(plugin: string, what: string): PluginError {
  return new PluginError({ plugin, message: `${plugin}: ${what}` })
}
