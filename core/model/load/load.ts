/**
 * Making models: from a directory, or from a config alone.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as EffectScope from "effect/Scope"
import type { Backend } from "../../backend/backend.ts"
import type { BackendError } from "../../backend/backend_error.ts"
import { attempt } from "../../contracts/attempt.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type { Plugins } from "../../contracts/plugins.ts"
import type { JsonError } from "../../formats/json_error.ts"
import { ConfigReader, readModelConfig } from "../../formats/model_config.ts"
import type { SafetensorsError } from "../../formats/safetensors_error.ts"
import type { StorageError } from "../../formats/storage_error.ts"
import type { StoredDType } from "../../formats/stored_dtype.ts"
import type { Storage } from "../../tensor/dtype.ts"
import type { StoredTensor } from "../../weights/stored_tensor.ts"
import { isOptional, type Ties, tiesOf } from "../../weights/weight_map.ts"
import { firstValues } from "../_first_values.ts"
import { writeParameters } from "../adapters.ts"
import type { Families } from "../families.ts"
import type { Model } from "../model.ts"
import { ModelError } from "../model_error.ts"
import type { Task } from "../task.ts"
import { assemble } from "./assemble.ts"
import { describe } from "./describe.ts"
import { earlierValues } from "./earlier_values.ts"
import { writeFromFiles, writeInitialValues } from "./initial_values.ts"
import { newNotes, resolveMethods, setUpNotes, structureOf } from "./structure.ts"

/** Options of {@link initialize}. */
export interface InitializeOptions {
  /** What the model is for. */
  readonly task: Task
  /** Seed of new parameters: a whole number from 0. Default 42. */
  readonly seed?: number
}
/** Options of {@link load}. */
export interface LoadOptions extends InitializeOptions {
  /**
   * What the base's frozen matrices (two and more axes) are kept in; all else, and all that trains, is f32. `"stored"`:
   * what the file has, so that one in bf16 or f16 takes half the memory and loses nothing. Else each is rounded to the
   * nearest; a number beyond the range of f16 is an error. Products and sums are f32 in any case. Default `"stored"`.
   */
  readonly weights?: "stored" | Storage
  /**
   * A classifier's head of the files: kept (`"stored"`; it must be for the task's labels), or left out so that one starts
   * `"new"`. What lies before it (a pooler) is kept in both cases. Default `"stored"`.
   */
  readonly head?: "stored" | "new"
}

/** What can go wrong while a model is made. */
export type LoadError = ModelError | PluginError | JsonError | StorageError | SafetensorsError | BackendError

const HEADS: ReadonlyArray<string> = ["stored", "new"]
const WEIGHTS: ReadonlyArray<string> = ["stored", "f32", "bf16", "f16"]
const STORAGES: Readonly<Partial<Record<StoredDType, Storage>>> = { F16: "f16", BF16: "bf16" }

/**
 * Loads a model from a Hugging Face directory. Config, plugins, names and shapes are checked first; then memory is
 * taken and weights stream straight into it. The memory is freed with the scope.
 */
export function load(
  directory: string,
  options: LoadOptions,
): Effect.Effect<Model, LoadError, Backend | Plugins | Families | FileSystem.FileSystem | EffectScope.Scope> {
  return Effect.gen(function* () {
    const { weights = "stored", head = "stored" } = options
    yield* oneOf("weights", "Weights", WEIGHTS, weights)
    yield* oneOf("head", "Task", HEADS, head)
    const path = directory.length > 1 ? directory.replace(/\/+$/, "") : directory
    const config = yield* readModelConfig(path)
    const files = yield* Effect.promise(() => import("../stored_weights.ts"))
    yield* files.checkPlain(path, config.record)
    const description = yield* describe(config, path, options)
    const resolve = (tied: Ties, fresh: ReadonlySet<string>) =>
      attempt(() => resolveMethods(description, tied, fresh), PluginError)
    // What cannot work together is told before the files are opened.
    const early = yield* resolve(tiesOf(description.network.weights), new Set())
    const { tensors, notes: told, ...found } = yield* files.storedWeights(description, head)
    const resolved = found.fresh.size === 0 ? early : yield* resolve(found.tied, found.fresh)
    const structure = structureOf(description, resolved, found)
    const earlier = yield* earlierValues(structure)
    const notes = [...setUpNotes(structure), ...told, ...newNotes(structure, earlier)]
    const model = yield* assemble(structure, notes, storageIn(tensors, weights))
    const { seed, changed: { weights: replaced } } = structure
    yield* writeFromFiles(model, yield* writeInitialValues(model, { earlier, replaced, files: tensors, seed }))
    yield* writeParameters(model, yield* firstValues(model, seed, earlier))
    return model
  })
}

/** Makes a model with new weights from the content of a `config.json`: for pretraining and comparisons. */
export function initialize(
  config: Readonly<Record<string, unknown>>,
  options: InitializeOptions,
): Effect.Effect<Model, LoadError, Backend | Plugins | Families | EffectScope.Scope> {
  return Effect.gen(function* () {
    const description = yield* describe(new ConfigReader("config", config), "", options)
    const { task, parameters, network, config: { record } } = description
    const tied = tiesOf(network.weights)
    const keys = parameters.map(({ key }) => key)
    const fresh = new Set(keys.filter((key) => isOptional(network.weights, key)))
    const resolved = yield* attempt(() => resolveMethods(description, tied, fresh), PluginError)
    const structure = structureOf(description, resolved, { task, tied, fresh, record })
    const earlier = yield* earlierValues(structure)
    const model = yield* assemble(structure, setUpNotes(structure), () => "f32")
    const { seed, changed: { weights: replaced } } = structure
    yield* writeInitialValues(model, { earlier, replaced, files: new Map(), seed })
    yield* writeParameters(model, yield* firstValues(model, seed, earlier))
    return model
  })
}

function oneOf(
  option: string,
  reason: ModelError["reason"],
  allowed: ReadonlyArray<string>,
  given: string,
): Effect.Effect<void, ModelError> {
  if (allowed.includes(given)) return Effect.void
  const message = `${option} must be one of ${allowed.join(", ")}, got ${JSON.stringify(given)}`
  return Effect.fail(new ModelError({ reason, message }))
}

/** What a frozen parameter of the base is kept in. */
function storageIn(
  tensors: ReadonlyMap<string, StoredTensor>,
  weights: "stored" | Storage,
): (parameter: Parameter) => Storage {
  return ({ key, shape }) => {
    if (shape.length < 2) return "f32"
    if (weights !== "stored") return weights
    const stored = tensors.get(key)
    return stored === undefined ? "f32" : STORAGES[stored.dtype] ?? "f32"
  }
}
