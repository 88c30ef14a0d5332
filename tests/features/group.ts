/**
 * Families of `FEATURES.md`, one group a plugin.
 * @module
 */
import type * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import type { Families } from "../../core/model/load/families.ts"

/** A config, as config.json has it. */
export type ModelConfig = Readonly<Record<string, unknown>>

/** The families of a plugin. */
export interface FeatureGroup {
  /** What follows the task in the headings of its tables. */
  readonly title: string
  /** Registers them. */
  readonly layer: Layer.Layer<never, PluginError, Families>
  /** Tiny models by the names of the tables' columns. */
  readonly models: Readonly<Record<string, ModelConfig>>
  /** Tasks that have a table: those for which one of the families has a head. */
  readonly tasks: ReadonlyArray<string>
  /** Parameters of heads, beside those of PEFT's names, that train beside adapters. Default: none. */
  readonly isBesideHead?: (key: string) => boolean
  /** Biases of keys without rotation that are not called `key.bias`: their gradient is zero, up to rounding. Default: none. */
  readonly isInvariant?: (key: string) => boolean
}
