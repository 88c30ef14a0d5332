import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as EffectScope from "effect/Scope"
import type { Slot } from "../../backend/backend.ts"
import type { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import type { PluginError } from "../../contracts/plugin_error.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { unknownOption } from "../../options/unknown_option.ts"
import * as ops from "../../tensor/ops.ts"
import type { Shape } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { makeModel } from "../make_model.ts"
import type { Model, ModelParameter } from "../model.ts"
import { ModelError } from "../model_error.ts"
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
    const { ids, weights, originals } = yield* foldedWeights(model, names)
    const { backend } = model
    const scope = yield* Effect.scope
    const slots: Slot[] = []
    const allocate = (name: string, shape: Shape) => {
      const slot = backend.allocate(name, shape)
      slots.push(slot)
      return { slot, tensor: ops.slot(slot) }
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => slots.forEach((slot) => backend.free(slot))))
    return yield* inBackend(async () => {
      const folded = new Map(model.folded)
      const updates: Array<readonly [Slot, Tensor]> = []
      const merged = (key: string, weight: Tensor) => {
        const memory = allocate(`${key} merged`, weight.shape)
        updates.push([memory.slot, weight])
        return memory
      }
      for (const [key, weight] of weights) {
        const loaded = originals.get(key)
        folded.set(key, { ...merged(key, weight), ...(loaded === undefined ? {} : { original: merged(key, loaded) }) })
      }
      const parameters = model.parameters.map((parameter): ModelParameter => {
        const { trainable, owner, key, shape, tensor } = parameter
        if (!trainable || ids.includes(owner)) return parameter
        const memory = allocate(`${key} beside`, shape)
        updates.push([memory.slot, tensor])
        return { ...parameter, ...memory }
      })
      await runOnce(backend, { name: `merge ${ids.join(", ")}`, outputs: {}, updates })
      const state = { merged: new Set([...model.merged, ...ids]), off: model.off, folded }
      return makeModel({ ...model, parameters, scope }, state)
    })
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
    const unknown = unknownOption({ only, ...checkpoint }, { only: true, dtype: true, config: true })
    if (unknown !== undefined) return yield* new ModelError({ reason: "Options", message: unknown })
    const { ids, viewed } = yield* foldedWeights(model, only)
    const { backend } = model
    const merged = makeModel(model, { ...model, merged: new Set([...model.merged, ...ids]) })
    yield* writeCheckpoint(merged, directory, checkpoint, async (key) => {
      const weight = viewed(key)
      if (weight === undefined) return undefined
      const { merged } = await runOnce(backend, { name: `merge ${key}`, outputs: { merged: weight }, updates: [] })
      return merged as Float32Array
    })
  })
}
