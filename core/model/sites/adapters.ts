/**
 * Parameters in and out of a model's memory, and the files of its plugins.
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "../../formats/files/file_system.ts"
import { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import type { ArtifactContext, ArtifactFiles, Contribution, NamedValues } from "../../contracts/contribution.ts"
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { type StorageError, toStorageError } from "../../formats/files/storage_error.ts"
import { writeDirectoryWhole } from "../../formats/files/whole_file.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { copyCompanions } from "../../formats/safetensors/companions.ts"
import type { Model, ModelParameter } from "../model.ts"
import type { Network } from "../network.ts"

/** What plugins' artifacts know of a model. */
export function artifactContext(model: {
  readonly directory: string
  readonly tasks: Model["tasks"]
  readonly modules: ReadonlyArray<ModuleInfo>
  readonly network: Pick<Network, "architecture">
}): ArtifactContext {
  const { directory, tasks, modules, network } = model
  const [{ task }] = Object.values(tasks)
  return { baseModel: directory, head: task.head, modules, architecture: network.architecture }
}

/** Copies parameters out, in the order asked for. Default: all that train. */
export function readParameters(
  model: Model,
  parameters: ReadonlyArray<ModelParameter> = model.parameters.filter(({ trainable }) => trainable),
): Effect.Effect<ReadonlyArray<NamedValues>, BackendError> {
  return inBackend(async () => {
    const values: NamedValues[] = []
    for (const parameter of parameters) {
      values.push({ parameter, data: await model.backend.read(parameter.slot) as Float32Array })
    }
    return values
  })
}

/** Copies values in, by key. Nothing is written when a key is unknown or a length wrong ({@link BackendError}). */
export function writeParameters(
  model: Model,
  values: ReadonlyArray<NamedValues>,
): Effect.Effect<void, BackendError> {
  const byKey = new Map(model.parameters.map((parameter) => [parameter.key, parameter]))
  for (const { parameter: { key }, data } of values) {
    const own = byKey.get(key)
    if (own !== undefined && sizeOf(own.shape) === data.length) continue
    const what = own === undefined
      ? "the model has no such parameter"
      : `[${own.shape}] needs ${sizeOf(own.shape)} numbers`
    const message = `cannot write ${data.length} numbers to "${key}": ${what}`
    return Effect.fail(new BackendError({ reason: "BadInput", message }))
  }
  return inBackend(async () => {
    for (const { parameter: { key }, data } of values) await model.backend.write(byKey.get(key)!.slot, data)
  })
}

/**
 * Writes the files of all plugins to a directory, whole or not at all. A directory that holds anything else is an error.
 * Where a file of that name is another plugin's already, a plugin's files lie in a folder named after its method. Of a model
 * of several tasks there is a folder for each, named after it: trunk and head as those of a model of that task alone, which
 * the plugins' formats can hold.
 */
export function saveAdapters(
  model: Model,
  directory: string,
): Effect.Effect<void, PluginError | BackendError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const files = new Map<string, Uint8Array>()
    for (const { folder, own } of byTask(model)) {
      for (const [name, bytes] of yield* filesOf(own)) files.set(folder + name, bytes)
    }
    const fs = yield* FileSystem.FileSystem
    yield* writeDirectoryWhole(directory, (temporary) =>
      Effect.gen(function* () {
        for (const [name, bytes] of files) {
          const path = `${temporary}/${name}`
          yield* fs.makeDirectory(path.slice(0, path.lastIndexOf("/")), { recursive: true })
          yield* fs.writeFile(path, bytes)
        }
      }).pipe(
        Effect.mapError(toStorageError(directory, "write")),
        // A tokenizer that came with adapters goes with them.
        Effect.andThen(model.companions === undefined ? Effect.void : copyCompanions(model.companions, temporary)),
      ))
  })
}

/** A model, or that of each of its tasks, with the folder that its files lie in. */
function byTask(model: Model): ReadonlyArray<{ readonly folder: string; readonly own: Model }> {
  return Object.entries(model.tasks).map(([task, { paths }]) =>
    paths === undefined ? { folder: "", own: model } : { folder: `${task}/`, own: model.view({ task }) }
  )
}

/** What plugins save of a model of one task, by the names of files. */
function filesOf(model: Model): Effect.Effect<ReadonlyMap<string, Uint8Array>, PluginError | BackendError> {
  return Effect.gen(function* () {
    const files = new Map<string, Uint8Array>()
    for (const contribution of model.contributions) {
      const { id, artifacts } = contribution
      if (artifacts === undefined) continue
      const values = yield* readParameters(model, model.parameters.filter(belongsTo(contribution, model)))
      const made = yield* artifacts.save(values, artifactContext(model)).pipe(Effect.mapError(toPluginError(id)))
      const folder = Object.keys(made).some((name) => files.has(name)) ? `${methodOf(id)}/` : ""
      for (const [own, bytes] of Object.entries(made)) {
        const name = folder + own
        if (files.has(name)) {
          const message = `${id}: another plugin also writes "${name}"; give one of them another name`
          return yield* new PluginError({ plugin: id, message })
        }
        files.set(name, bytes)
      }
    }
    if (files.size > 0) return files
    return yield* new PluginError({ plugin: "plugins", message: "no plugin has anything to save; save a checkpoint" })
  })
}

/**
 * Reads the files of all plugins from a directory into the model, of several tasks from a folder for each; nothing is
 * written unless everything fits.
 */
export function loadAdapters(
  model: Model,
  directory: string,
): Effect.Effect<void, PluginError | BackendError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const inModel = new Map(model.parameters.map((parameter) => [parameter.slot, parameter]))
    const values = new Map<string, NamedValues>()
    for (const { folder, own } of byTask(model)) {
      const slots = new Map(own.parameters.map(({ key, slot }) => [key, slot]))
      const files = yield* readFiles(folder === "" ? directory : `${directory}/${folder.slice(0, -1)}`)
      for (const { parameter: { key }, data } of yield* valuesIn(own, files)) {
        const parameter = inModel.get(slots.get(key)!)!
        const other = values.get(parameter.key)
        if (other?.data.some((value, i) => value !== data[i])) {
          const message =
            `"${directory}": the folders of several tasks hold different values for "${key}", which the ` +
            "model's tasks share: they were not saved together"
          return yield* new PluginError({ plugin: parameter.owner, message })
        }
        values.set(parameter.key, { parameter, data })
      }
    }
    yield* writeParameters(model, [...values.values()])
  })
}

/** Values that plugins find in files for a model of one task. */
function valuesIn(model: Model, files: ArtifactFiles): Effect.Effect<ReadonlyArray<NamedValues>, PluginError> {
  return Effect.gen(function* () {
    const values: NamedValues[] = []
    for (const contribution of model.contributions) {
      const { id, artifacts } = contribution
      if (artifacts === undefined) continue
      const wanted = wantedOf(contribution, model, model.parameters)
      const loaded = yield* artifacts.load(filesFor(id, files), wanted, artifactContext(model)).pipe(
        Effect.mapError(toPluginError(id)),
      )
      yield* checkValues(id, wanted, loaded)
      values.push(...loaded)
    }
    return values
  })
}

const methodOf = (id: string): string => id.replace(/\/.*$/, "")

/**
 * A plugin's name is a folder in the files of most methods, and so is a method where two have files of one name: one
 * plugin must not have the name of another's method.
 */
export function checkFolders(contributions: ReadonlyArray<Contribution>): Effect.Effect<void, PluginError> {
  const saved = contributions.filter(({ artifacts }) => artifacts !== undefined)
  for (const { id } of saved) {
    const other = saved.find((other) => other.id !== id && id === `${methodOf(id)}/${methodOf(other.id)}`)
    if (other === undefined) continue
    const message =
      `${id}: its name is the method of ${other.id}, so that their files would be taken for each other's; ` +
      "give it another name"
    return Effect.fail(new PluginError({ plugin: id, message }))
  }
  return Effect.void
}

/** What a plugin finds: its method's folder lies over the rest. */
function filesFor(id: string, files: ArtifactFiles): ArtifactFiles {
  const folder = `${methodOf(id)}/`
  const own = Object.entries(files).filter(([name]) => name.startsWith(folder))
  return { ...files, ...Object.fromEntries(own.map(([name, bytes]) => [name.slice(folder.length), bytes])) }
}

/** The files in a directory and its folders, by their path within it. */
export function readFiles(
  directory: string,
): Effect.Effect<ArtifactFiles, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const files: Record<string, Uint8Array> = {}
    for (const name of (yield* fs.readDirectory(directory, { recursive: true })).sort()) {
      const path = `${directory}/${name}`
      if ((yield* fs.stat(path)).type === "File") files[name.replaceAll("\\", "/")] = yield* fs.readFile(path)
    }
    return files
  }).pipe(Effect.mapError(toStorageError(directory, "read")))
}

/** A plugin must give a value of the right size for each wanted parameter but frozen ones, and for no other. */
export function checkValues(
  plugin: string,
  wanted: ReadonlyArray<Parameter>,
  values: ReadonlyArray<NamedValues>,
): Effect.Effect<void, PluginError> {
  const given = new Map(values.map((value) => [value.parameter.key, value.data]))
  const wrong = wanted.filter(({ key, shape, trainable = true }) =>
    given.has(key) ? given.get(key)!.length !== sizeOf(shape) : trainable
  ).map(({ key }) => key)
  const known = new Set(wanted.map(({ key }) => key))
  if (wrong.length === 0 && [...given.keys()].every((key) => known.has(key))) return Effect.void
  const which = wrong.length === 0 ? "" : `; wrong or missing: ${wrong.slice(0, 10).join(", ")}`
  const message = `${plugin}: its files gave ${given.size} values for ${wanted.length} parameters${which}`
  return Effect.fail(new PluginError({ plugin, message }))
}

/**
 * Which parameters a plugin's files hold: its own, the base ones that it trains, and those that train though no plugin
 * asks for it (of new modules). What another plugin trains lies in that one's files.
 */
export function belongsTo(
  own: Contribution,
  { contributions, modules }: {
    readonly contributions: ReadonlyArray<Contribution>
    readonly modules: ReadonlyArray<ModuleInfo>
  },
): (parameter: Parameter) => boolean {
  const infos = new Map(modules.map((module) => [module.path, module]))
  return ({ owner, module, name, trainable = true }) => {
    if (owner !== "base") return owner === own.id
    const info = infos.get(module)
    const asks = ({ trains }: Contribution) => info !== undefined && (trains?.(info, name) ?? false)
    return trainable && (asks(own) || !contributions.some(asks))
  }
}

/**
 * What a plugin's files must hold of these parameters. What trains only since it is new is not `trainable` here: where the
 * files lack it, it may start anew.
 */
export function wantedOf(
  own: Contribution,
  model: { readonly contributions: ReadonlyArray<Contribution>; readonly modules: ReadonlyArray<ModuleInfo> },
  parameters: ReadonlyArray<Parameter>,
): ReadonlyArray<Parameter> {
  const infos = new Map(model.modules.map((module) => [module.path, module]))
  const isAsked = ({ owner, module, name }: Parameter) => {
    const info = infos.get(module)
    return owner !== "base" || (info !== undefined && model.contributions.some(({ trains }) => trains?.(info, name)))
  }
  return parameters.filter(belongsTo(own, model)).map((parameter) => ({
    ...parameter,
    trainable: (parameter.trainable ?? true) && isAsked(parameter),
  }))
}

function toPluginError(plugin: string): (error: Error) => PluginError {
  return (error) => error instanceof PluginError ? error : new PluginError({ plugin, message: error.message })
}
