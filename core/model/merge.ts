/**
 * Merging what methods add into the weights that they add it to.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as EffectScope from "effect/Scope"
import type { BackendError } from "../backend/backend_error.ts"
import type { PluginError } from "../contracts/plugin_error.ts"
import type { Model } from "./model.ts"
import type { ModelError } from "./model_error.ts"
import type { Families } from "./load/families.ts"
import type { SelfCheck } from "./save/check/check_figures.ts"
import type { MergeOptions, SaveMergedError, SaveMergedOptions } from "./save/merge_weights.ts"

/**
 * The model with updates of plugins in its weights, as another value; graphs of it leave the plugins' own paths out. Each
 * update counts from the loaded weights, as it does beside them, so that any choice of plugins gives the function that was
 * trained. `model` stays as it is; the merged weights, and what else trains, take memory of their own, in f32, until the
 * scope closes. A weight that is kept in blocks of an encoding stays so: an update that is one number a block goes into the
 * blocks' offsets, codes and scales keep their bits, and `notes` of the merged model say by how much offsets were rounded.
 * Fails before anything is written where a plugin does not fold into weights, or where a merged weight would not be finite.
 *
 * @param names Ids (or methods) of the plugins. Default: all that change the model and are on.
 */
export function merge(
  model: Model,
  names?: ReadonlyArray<string>,
  options: MergeOptions = {},
): Effect.Effect<Model, ModelError | PluginError | BackendError, EffectScope.Scope> {
  return Effect.flatMap(
    Effect.promise(() => import("./save/mod.ts")),
    (merging) => merging.merge(model, names, options),
  )
}

/**
 * Writes the merged model as a checkpoint of floats that transformers loads, exactly whatever its weights are kept in, one
 * merged weight in memory at a time; the model stays as it is. What was written is loaded and compared with the model on prompts
 * before it takes its place; beyond the tolerance it fails with an `ExportError`, and an older directory stays. Gives the
 * figures. Fails as {@link merge} does.
 */
export function saveMerged(
  model: Model,
  directory: string,
  options: SaveMergedOptions = {},
): Effect.Effect<SelfCheck | undefined, SaveMergedError, FileSystem.FileSystem | Families> {
  return Effect.flatMap(
    Effect.promise(() => import("./save/mod.ts")),
    (merging) => merging.saveMerged(model, directory, options),
  )
}
