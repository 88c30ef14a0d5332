/**
 * Several adapters into one (PEFT's `add_weighted_adapter`), computed in weight space and checked there: what is combined
 * are updates s B A, never A and B apart.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { BackendError } from "../../../core/backend/backend_error.ts"
import type { PluginError } from "../../../core/contracts/plugin_error.ts"
import type { StorageError } from "../../../core/formats/files/storage_error.ts"
import type { CombineError } from "../../../core/weights/combine/combine_error.ts"
import type { PeftError } from "../../peft_names/mod.ts"
import type { CombineReport } from "./combine_adapters.ts"
import type { CombineOptions } from "./combine_options.ts"

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
    Effect.promise(() => import("./combine_adapters.ts")),
    ({ combineAdapters }) => combineAdapters(options),
  )
}
