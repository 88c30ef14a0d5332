/**
 * Several adapters into one (PEFT's `add_weighted_adapter`), computed in weight space and checked there: what is combined
 * are updates s B A, never A and B apart.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { BackendError } from "../../core/backend/backend_error.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import type { StorageError } from "../../core/formats/storage_error.ts"
import type { PeftError } from "../peft_format/mod.ts"
import type { CombineError } from "./combine_error.ts"
import type { CombinationType, CombineOptions } from "./combine_options.ts"

/** What came out at one module. */
export interface CombinedModule {
  /** Its path. */
  readonly module: string
  /** Rank of its update. */
  readonly rank: number
  /** Distance from what it stands for, relative to that, as the file holds it. */
  readonly error: number
}

/** What {@link combine} wrote. */
export interface CombineReport {
  /** How. */
  readonly combinationType: CombinationType
  /** Every adapted module, by path. */
  readonly modules: ReadonlyArray<CombinedModule>
  /** The one that is furthest off. */
  readonly worst: CombinedModule
  /** What a person should know: heads that were averaged, adapters of different base models. */
  readonly notes: ReadonlyArray<string>
}

/**
 * Combines adapters into one. Ranks, alphas, rsLoRA, patterns and targets may differ; weights may be negative. Base
 * parameters that trained beside them (heads, biases) are averaged by weight, and noted. At the end each module's update,
 * as the file holds it, is compared with what it stands for; above the tolerance that is a {@link CombineError} which
 * names the module, and nothing is written. DoRA adapters are refused: their updates rest on the base weights.
 */
export function combine(options: CombineOptions): Effect.Effect<
  CombineReport,
  CombineError | PeftError | StorageError | PluginError | BackendError,
  FileSystem.FileSystem
> {
  return Effect.flatMap(
    Effect.promise(() => import("./_combine_adapters.ts")),
    ({ combineAdapters }) => combineAdapters(options),
  )
}
