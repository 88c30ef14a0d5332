import * as Effect from "effect/Effect"
import type { BackendError } from "../../backend/backend_error.ts"
import type { ArtifactFiles, NamedValues } from "../../contracts/contribution.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../formats/files/file_system.ts"
import { type StorageError, toStorageError } from "../../formats/files/storage_error.ts"
import { writeDirectoryWhole } from "../../formats/files/whole_file.ts"
import { copyCompanions } from "../../formats/safetensors/companions.ts"
import type { Model } from "../model.ts"
import {
  artifactContext,
  belongsTo,
  checkValues,
  methodOf,
  readParameters,
  wantedOf,
  writeParameters,
} from "../sites/adapters.ts"
import { readFiles } from "./read_files.ts"

/** Writes the files of all plugins. */
export function saveAdapters(
  model: Model,
  directory: string,
): Effect.Effect<void, PluginError | BackendError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const files = new Map<string, Uint8Array>()
    for (const { folder, own } of byTask(model)) {
      for (const [name, bytes] of yield* filesOf(own)) files.set(folder + name, bytes)
    }
    const fs = yield* fileSystem
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
        Effect.andThen(
          model.companions === undefined ? Effect.succeed(0) : copyCompanions(model.companions, temporary),
        ),
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

/** Reads the files of all plugins into the model. */
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

/** What a plugin finds: its method's folder lies over the rest. */
function filesFor(id: string, files: ArtifactFiles): ArtifactFiles {
  const folder = `${methodOf(id)}/`
  const own = Object.entries(files).filter(([name]) => name.startsWith(folder))
  return { ...files, ...Object.fromEntries(own.map(([name, bytes]) => [name.slice(folder.length), bytes])) }
}

function toPluginError(plugin: string): (error: Error) => PluginError {
  return (error) => error instanceof PluginError ? error : new PluginError({ plugin, message: error.message })
}
