import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as EffectScope from "effect/Scope"
import type { Slot } from "../../backend/backend.ts"
import type { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import type { PluginError } from "../../contracts/plugin_error.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { faultsOf, withDefaults } from "../../options/check.ts"
import type { OptionTable } from "../../options/field.ts"
import * as field from "../../options/fields.ts"
import { unknownOption } from "../../options/unknown_option.ts"
import type { StoredAs } from "../../tensor/dtype.ts"
import * as ops from "../../tensor/ops.ts"
import type { Shape } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { makeModel } from "../make_model.ts"
import type { Model, ModelParameter } from "../model.ts"
import { ModelError } from "../model_error.ts"
import { runOnce } from "../sites/run_once.ts"
import type { DataError } from "../../data/data_error.ts"
import type { Families } from "../load/families.ts"
import type { LoadError } from "../load/load.ts"
import { type CheckOptions, checkWritten, prepareCheck } from "./check/check_written.ts"
import type { ExportError } from "./check/export_error.ts"
import type { SelfCheck } from "./check/check_figures.ts"
import { foldedWeights } from "./folded_weights.ts"
import { copyWithOffsets, type Rounding, together } from "./offsets.ts"
import { type CheckpointOptions, writeCheckpoint } from "./write_checkpoint.ts"

/** Options of {@link saveMerged}. */
export interface SaveMergedOptions extends CheckpointOptions {
  /** Ids (or methods) of the plugins that are merged. Default: all that change the model and are on. */
  readonly only?: ReadonlyArray<string>
  /**
   * How what is written is checked before it takes its place; false: not at all. A model of several tasks is not. Default: on
   * eight short English texts, or on token ids where no tokenizer lies beside the model.
   */
  readonly check?: CheckOptions | false
}

/** Errors of {@link saveMerged}. */
export type SaveMergedError =
  | ExportError
  | LoadError
  | ModelError
  | PluginError
  | BackendError
  | DataError
  | SafetensorsError
  | StorageError

/** Options of {@link merge}. */
export interface MergeOptions {
  /**
   * Whether weights that are kept in blocks of an encoding become f32. If not, they stay in their blocks, whose offsets
   * take up the update, and an update that does not fold into offsets is an error. Default false.
   */
  readonly float?: boolean
}

const MERGE_OPTIONS: OptionTable<MergeOptions> = {
  float: field.boolean({ default: false, doc: "Merged weights in blocks become f32" }),
}

/** The model with updates in its weights. */
export function merge(
  model: Model,
  names?: ReadonlyArray<string>,
  options: MergeOptions = {},
): Effect.Effect<Model, ModelError | PluginError | BackendError, EffectScope.Scope> {
  return Effect.gen(function* () {
    const faults = faultsOf(MERGE_OPTIONS, options)
    if (faults.length > 0) {
      return yield* new ModelError({ reason: "Options", message: faults.map(({ message }) => message).join("; ") })
    }
    const { float } = withDefaults(MERGE_OPTIONS, options)
    const { ids, weights, offsets, originals } = yield* foldedWeights(model, names, float ? "whole" : "offsets")
    const { backend } = model
    const scope = yield* Effect.scope
    const slots: Slot[] = []
    const allocate = (name: string, shape: Shape, storage?: StoredAs) => {
      const slot = backend.allocate(name, shape, "f32", storage)
      slots.push(slot)
      return { slot, tensor: ops.slot(slot) }
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => slots.forEach((slot) => backend.free(slot))))
    const folded = new Map(model.folded)
    const { parameters, roundings } = yield* inBackend(async () => {
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
      if (updates.length > 0) await runOnce(backend, { name: `merge ${ids.join(", ")}`, outputs: {}, updates })
      const roundings: Rounding[] = []
      for (const [key, deltas] of offsets) {
        const { slot: from } = model.folded.get(key) ?? model.parameters.find((parameter) => parameter.key === key)!
        const memory = allocate(`${key} merged`, from.shape, from.storage)
        const results = await runOnce(backend, { name: `offsets of ${key}`, outputs: { deltas }, updates: [] })
        roundings.push(await copyWithOffsets(backend, from, memory.slot, results.deltas as Float32Array))
        folded.set(key, memory)
      }
      return { parameters, roundings }
    })
    const notes = [...model.notes, ...(yield* roundingNotes(ids, roundings))]
    const state = { merged: new Set([...model.merged, ...ids]), off: model.off, folded }
    return makeModel({ ...model, parameters, notes, scope }, state)
  })
}

/** What a person should know of offsets that took an update up. Fails where one became infinite. */
function roundingNotes(
  ids: ReadonlyArray<string>,
  roundings: ReadonlyArray<Rounding>,
): Effect.Effect<ReadonlyArray<string>, ModelError> {
  if (roundings.length === 0) return Effect.succeed([])
  const { encodings, weights, worst, largest } = roundings.reduce(together)
  const [plugins, names] = [ids, encodings].map((list) => list.join(", "))
  if (!Number.isFinite(worst)) {
    const message = `${plugins}: an offset would be larger than ${names} can hold; merge into f32 (option float: true)`
    return Effect.fail(new ModelError({ reason: "Unsupported", message }))
  }
  const [change, rounding] = [largest, worst].map((value) => value.toPrecision(2))
  return Effect.succeed([
    `${plugins}: merged into the offsets of ${weights} weights in ${names}, all codes as they were; offsets changed by at ` +
    `most ${change} and were rounded by at most ${rounding}`,
  ])
}

/** Writes the merged model. */
export function saveMerged(
  model: Model,
  directory: string,
  { only, check = {}, ...checkpoint }: SaveMergedOptions,
): Effect.Effect<SelfCheck | undefined, SaveMergedError, FileSystem.FileSystem | Families> {
  return Effect.gen(function* () {
    const unknown = unknownOption({ only, ...checkpoint }, { only: true, dtype: true, config: true })
    if (unknown !== undefined) return yield* new ModelError({ reason: "Options", message: unknown })
    const { ids, viewed } = yield* foldedWeights(model, only, "whole")
    const { backend } = model
    const merged = makeModel(model, { ...model, merged: new Set([...model.merged, ...ids]) })
    const isChecked = check !== false && Object.keys(model.tasks).length === 1
    const prepared = isChecked ? yield* prepareCheck(model, check) : undefined
    const replaced = async (key: string) => {
      const weight = viewed(key)
      if (weight === undefined) return undefined
      const { merged } = await runOnce(backend, { name: `merge ${key}`, outputs: { merged: weight }, updates: [] })
      return merged as Float32Array
    }
    let found: SelfCheck | undefined
    yield* writeCheckpoint(merged, directory, checkpoint, replaced, (temporary) =>
      Effect.gen(function* () {
        if (prepared === undefined) return
        const rounded = [checkpoint.dtype ?? "F32"]
        found = yield* checkWritten(model, prepared, { temporary, path: directory, rounded })
      }))
    return found
  })
}
