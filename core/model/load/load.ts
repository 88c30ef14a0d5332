/**
 * Making models: from a directory, or from a config alone.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as EffectScope from "effect/Scope"
import { Backend } from "../../backend/backend.ts"
import type { BackendError } from "../../backend/backend_error.ts"
import type { OutlineBackend } from "../../backend/outline.ts"
import { attempt } from "../../contracts/attempt.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type { Plugins } from "../../contracts/plugins.ts"
import type { JsonError } from "../../formats/json/json_error.ts"
import type { GgufError } from "../../formats/gguf/gguf_error.ts"
import { ConfigReader, readModelConfig } from "../../formats/json/model_config.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import type { StoredDType } from "../../formats/safetensors/stored_dtype.ts"
import { inBlocks } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import { OBJECT, PATH, wrongArgument } from "../../options/argument.ts"
import type { Field } from "../../options/field.ts"
import { formatOf } from "../../weights/formats.ts"
import type { StoredTensor } from "../../weights/stored_tensor.ts"
import type { BlockFormat } from "../../tensor/block_format.ts"
import type { Ties } from "../../weights/weight_map.ts"
import { firstValues } from "./first_values.ts"
import { writeParameters } from "../sites/adapters.ts"
import { Families } from "./families.ts"
import { makeModel } from "../make_model.ts"
import type { Model } from "../model.ts"
import { ModelError } from "../model_error.ts"
import { assemble } from "./assemble.ts"
import { describe } from "./describe.ts"
import type { WantedEncodings } from "./encodings.ts"
import { earlierValues } from "./earlier_values.ts"
import { writeInitialValues } from "./initial_values.ts"
import {
  INITIALIZE_OPTIONS,
  type InitializeOptions,
  LOAD_OPTIONS,
  type LoadOptions,
  resolveLoad,
  type WeightEncoding,
} from "./load_options.ts"
import { foundInConfig, newNotes, resolveMethods, setUpNotes, structureOf } from "./structure.ts"

/** What can go wrong while a model is made. */
export type LoadError =
  | ModelError
  | PluginError
  | JsonError
  | StorageError
  | SafetensorsError
  | GgufError
  | BackendError

const STORAGES: Readonly<Partial<Record<StoredDType, WeightEncoding>>> = { F16: "f16", BF16: "bf16" }

/** Services that loading needs. */
export type LoadServices = Backend | Plugins | Families | FileSystem.FileSystem | EffectScope.Scope

/** A model whose memory is taken, and how it gets its values. */
interface Assembled {
  readonly model: Model
  readonly filled: Effect.Effect<Model, LoadError, FileSystem.FileSystem>
}

/**
 * Loads a model from a Hugging Face directory, or from a GGUF file or a directory with one. Config, plugins, names and shapes are checked first; then memory is
 * taken and weights stream straight into it. The memory is freed with the scope.
 */
export function load(directory: string, options: LoadOptions): Effect.Effect<Model, LoadError, LoadServices> {
  return Effect.flatMap(assembled(directory, options), ({ filled }) => filled)
}

/** A model without memory and values. */
export interface Outline extends Model {
  /** Runs nothing, and counts bytes. */
  readonly backend: OutlineBackend
}

/**
 * A model as `load` would make it, without memory and values: what the files say of its weights is read, they are not.
 * For `forecast` of `@espalier/espalier/run`.
 */
export function outline(directory: string, options: LoadOptions): Effect.Effect<Outline, LoadError, LoadServices> {
  return Effect.gen(function* () {
    const { outlineOf } = yield* Effect.promise(() => import("../../backend/outline.ts"))
    const backend = outlineOf(yield* Backend)
    const { model } = yield* Effect.provideService(assembled(directory, options), Backend, backend)
    return { ...model, backend }
  })
}

function assembled(directory: string, options: LoadOptions): Effect.Effect<Assembled, LoadError, LoadServices> {
  return Effect.gen(function* () {
    yield* checked("directory", directory, PATH)
    const { weights, head, ...own } = yield* attempt(() => resolveLoad(LOAD_OPTIONS, options), ModelError)
    const path = directory.length > 1 ? directory.replace(/\/+$/, "") : directory
    const registry = yield* Families
    const families = [...new Set((yield* registry.all).values())]
    const format = yield* formatOf(path, yield* registry.formats)
    const config = format.config === undefined
      ? yield* readModelConfig(path)
      : new ConfigReader(path, yield* format.config(path, families))
    const files = yield* Effect.promise(() => import("./stored/stored_weights.ts"))
    yield* files.checkPlain(path, config.record)
    const description = yield* describe(config, path, own)
    const resolve = (...given: [Ties, ReadonlySet<string>, ReadonlyMap<string, BlockFormat>?]) =>
      attempt(() => resolveMethods(description, ...given), PluginError)
    // What cannot work together is told before the files are opened.
    yield* resolve(description.tied, new Set())
    const open = format.open(path, families)
    const { tensors, notes: told, ...found } = yield* files.storedWeights(description, head, open)
    const stored = weights === "stored" ? files.storedBlocks(tensors) : new Map<string, BlockFormat>()
    const resolved = yield* resolve(found.tied, found.fresh, stored)
    const structure = yield* attempt(() => structureOf(description, resolved, found), PluginError)
    const earlier = yield* earlierValues(structure)
    const notes = [...setUpNotes(structure), ...told, ...newNotes(structure, earlier)]
    const model = yield* assemble(structure, notes, storageIn(tensors, weights, resolved.encodings))
    const { changed: { weights: replaced }, seed } = structure
    const filled = Effect.gen(function* () {
      const left = yield* writeInitialValues(model, { earlier, replaced, files: tensors, seed })
      const encoded = yield* files.writeFromFiles(model, left)
      yield* changeBase(model, seed, tensors)
      yield* writeParameters(model, yield* firstValues(model, seed, earlier))
      return encoded.length === 0
        ? model
        : makeModel({ ...model, encoded, notes: [...notes, ...files.encodedNotes(encoded)] })
    })
    return { model, filled }
  })
}

/** Lets plugins change frozen weights of the base, where any does. */
function changeBase(
  model: Model,
  seed: number,
  files: ReadonlyMap<string, StoredTensor>,
): Effect.Effect<void, PluginError | BackendError> {
  if (!model.contributions.some(({ changesBase }) => changesBase !== undefined)) return Effect.void
  return Effect.flatMap(
    Effect.promise(() => import("./stored/change_base.ts")),
    ({ changeBase }) => changeBase(model, { seed, files }),
  )
}

/** Makes a model with new weights from the content of a `config.json`: for pretraining and comparisons. */
export function initialize(
  config: Readonly<Record<string, unknown>>,
  options: InitializeOptions,
): Effect.Effect<Model, LoadError, Backend | Plugins | Families | EffectScope.Scope> {
  return Effect.gen(function* () {
    yield* checked("config", config, OBJECT)
    const own = yield* attempt(() => resolveLoad(INITIALIZE_OPTIONS, options), ModelError)
    const description = yield* describe(new ConfigReader("config", config), "", own)
    const found = foundInConfig(description)
    const structure = yield* attempt(
      () => structureOf(description, resolveMethods(description, found.tied, found.fresh, new Map()), found),
      PluginError,
    )
    const earlier = yield* earlierValues(structure)
    const model = yield* assemble(structure, setUpNotes(structure), storageIn(new Map(), "f32", structure.encodings))
    const { seed, changed: { weights: replaced } } = structure
    yield* writeInitialValues(model, { earlier, replaced, files: new Map(), seed })
    yield* changeBase(model, seed, new Map())
    yield* writeParameters(model, yield* firstValues(model, seed, earlier))
    return model
  })
}

/** Fails with a {@link ModelError} where an argument is not as `field` says. */
function checked(name: string, value: unknown, field: Field<unknown>): Effect.Effect<void, ModelError> {
  const message = wrongArgument(name, value, field)
  return message === undefined ? Effect.void : Effect.fail(new ModelError({ reason: "Options", message }))
}

/** What a frozen parameter of the base is kept in. */
function storageIn(
  tensors: ReadonlyMap<string, StoredTensor>,
  weights: "stored" | WeightEncoding,
  wanted: WantedEncodings,
): (parameter: Parameter) => WeightEncoding {
  return ({ key, shape }) => {
    const own = wanted.get(key)?.encoding
    if (own !== undefined) return own
    if (shape.length < 2) return "f32"
    if (weights !== "stored") return shape.at(-1)! % encodingOf(weights).block === 0 ? weights : "f32"
    const { packed, dtype } = tensors.get(key) ?? {}
    if (packed !== undefined) {
      return inBlocks(packed.encoding) ? packed.encoding : packed.encoding.name as WeightEncoding
    }
    return (dtype && STORAGES[dtype]) ?? "f32"
  }
}
