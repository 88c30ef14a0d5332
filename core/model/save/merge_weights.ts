import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as EffectScope from "effect/Scope"
import type { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import type { PluginError } from "../../contracts/plugin_error.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { makeModel } from "../make_model.ts"
import type { FoldedWeight, Model } from "../model.ts"
import type { ModelError } from "../model_error.ts"
import { runOnce } from "../sites/run_once.ts"
import { foldedWeights } from "./folded_weights.ts"
import { type CheckpointOptions, writeCheckpoint } from "./write_checkpoint.ts"

/** Options of {@link saveMerged}. */
export interface SaveMergedOptions extends CheckpointOptions {
  /** Ids (or methods) of the plugins that are merged. Default: all that change the model and are on. */
  readonly only?: ReadonlyArray<string>
}

/** The model with updates in its weights. */
export function merge(
  model: Model,
  names?: ReadonlyArray<string>,
): Effect.Effect<Model, ModelError | PluginError | BackendError, EffectScope.Scope> {
  return Effect.gen(function* () {
    const { ids, weights } = yield* foldedWeights(model, names)
    const { backend } = model
    const folded = new Map(model.folded)
    const updates: Array<readonly [FoldedWeight["slot"], Tensor]> = []
    yield* Effect.addFinalizer(() => Effect.sync(() => updates.forEach(([slot]) => backend.free(slot))))
    yield* inBackend(async () => {
      for (const [key, weight] of weights) {
        const slot = backend.allocate(`${key} merged`, weight.shape)
        updates.push([slot, weight])
        folded.set(key, { slot, tensor: ops.slot(slot) })
      }
      await runOnce(backend, { name: `merge ${ids.join(", ")}`, outputs: {}, updates })
    })
    return makeModel(model, { merged: new Set([...model.merged, ...ids]), off: model.off, folded })
  })
}

/** Writes the merged model. */
export function saveMerged(
  model: Model,
  directory: string,
  { only, ...checkpoint }: SaveMergedOptions,
): Effect.Effect<
  void,
  ModelError | PluginError | BackendError | SafetensorsError | StorageError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const { ids, weights } = yield* foldedWeights(model, only)
    const { backend } = model
    const merged = makeModel(model, { ...model, merged: new Set([...model.merged, ...ids]) })
    yield* writeCheckpoint(merged, directory, checkpoint, async (key) => {
      const weight = weights.get(key)
      if (weight === undefined) return undefined
      const { merged } = await runOnce(backend, { name: `merge ${key}`, outputs: { merged: weight }, updates: [] })
      return merged as Float32Array
    })
  })
}
