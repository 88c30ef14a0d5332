/**
 * LoRA (Hu et al. 2021): low-rank updates beside frozen weights, with PEFT's options, in PEFT's files. With DoRA, PiSSA,
 * OLoRA and LoRA+ ({@link LoraOptions}).
 *
 * Several adapters can lie on one model ({@link LoraService}): all at work, some switched off, none in a scope, or another
 * for each row of a batch (`plugins` of `predict`, `evaluate` and `embed`). What adapters train whole (a head, biases) is
 * the model's, and there once; with `ownModules` each has a head of its own.
 *
 * ```ts
 * import * as Lora from "@espalier/espalier/lora"
 *
 * const methods = Lora.layer({ r: 16, loraAlpha: 32, targetModules: "all-linear" })
 *
 * // What two trainings learned, as one adapter of rank 16: the one, less half of the other.
 * const combined = Lora.combine({
 *   adapters: [{ path: "./news" }, { path: "./reviews", weight: -0.5 }],
 *   combinationType: "svd",
 *   svdRank: 16,
 *   output: "./both",
 * })
 * ```
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import type { BackendError } from "../../core/backend/backend_error.ts"
import type { ArtifactFiles, Contribution } from "../../core/contracts/contribution.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { plugin, Plugins } from "../../core/contracts/plugins.ts"
import { pathExists } from "../../core/formats/path_exists.ts"
import type { SafetensorsError } from "../../core/formats/safetensors_error.ts"
import type { StorageError } from "../../core/formats/storage_error.ts"
import type { CheckpointOptions, Model } from "../../core/model/mod.ts"
import type { ModelError } from "../../core/model/model_error.ts"
import {
  adapterFile,
  attemptPeft,
  CONFIG_FILE,
  decodeLoraConfig,
  firstParts,
  HEADS,
  openTensors,
  type PeftError,
  readAdapter,
  WEIGHTS_FILE,
  wholeModules,
} from "../peft_format/mod.ts"
import { activate, withoutAdapters } from "./active.ts"
import { contributionOf } from "./contribution.ts"
import { type LoraOptions, type Origin, type ResolvedOptions, resolveOptions } from "./options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export type { FloatDType } from "../../core/formats/safetensors.ts"
export type * from "../../core/model/mod.ts"
export type * from "../../core/model/module.ts"
export type * from "../../core/model/network.ts"
export { PeftError, type PeftErrorFields } from "../peft_format/mod.ts"
export { combine, type CombinedModule, type CombineReport } from "./combine.ts"
export { CombineError, type CombineErrorFields } from "./combine_error.ts"
export type { CombinationType, CombineOptions } from "./combine_options.ts"
export type { AdapterSource } from "./combine_sources.ts"
export type { LoraInitialization, LoraOptions, OptionWithoutDefault, Origin, ResolvedOptions } from "./options.ts"

/** What one adapter can do beside training. Programs built before a merge or unmerge are stale. */
export interface LoraAdapter {
  /** The options in force. */
  readonly options: ResolvedOptions
  /**
   * Adds the update to the base weights; graphs built from then on leave the adapter's path out. Where DoRA meets another
   * adapter at a weight, they can only be merged together: {@link LoraService.merge}.
   */
  readonly merge: (model: Model) => Effect.Effect<void, ModelError | BackendError>
  /** Takes it out again, equal up to rounding. */
  readonly unmerge: (model: Model) => Effect.Effect<void, ModelError | BackendError>
  /** Writes the merged model as a checkpoint that transformers loads; the model in memory stays as it is. */
  readonly saveMerged: (
    model: Model,
    directory: string,
    checkpoint?: CheckpointOptions,
  ) => Effect.Effect<void, ModelError | BackendError | SafetensorsError | StorageError, FileSystem.FileSystem>
}

/** The adapters of a program. */
export interface LoraService {
  /** All of them by name. */
  readonly adapters: Effect.Effect<ReadonlyMap<string, LoraAdapter>, PluginError>
  /** One by name; default `"default"`. Fails with {@link PluginError} when there is none of that name. */
  readonly adapter: (name?: string) => Effect.Effect<LoraAdapter, PluginError>
  /**
   * Merges several adapters at once: all their updates count from the same base weights, so that the merged model is the
   * one that was trained. (One DoRA adapter after the other, as PEFT merges them, is another function.)
   */
  readonly merge: (
    model: Model,
    names: ReadonlyArray<string>,
  ) => Effect.Effect<void, PluginError | ModelError | BackendError>
  /** Takes them out again, equal up to rounding. */
  readonly unmerge: (
    model: Model,
    names: ReadonlyArray<string>,
  ) => Effect.Effect<void, PluginError | ModelError | BackendError>
  /**
   * Puts the named adapters to work and switches the others off: from then on graphs leave their paths out, and heads and
   * biases that no adapter at work trains are as they were loaded. Programs built before are stale. What was merged cannot
   * be switched off.
   */
  readonly setActive: (
    model: Model,
    names: ReadonlyArray<string>,
  ) => Effect.Effect<void, PluginError | ModelError>
  /** Runs an effect with all adapters off, and puts back what was: graphs that it builds are those of the model without. */
  readonly disabled: <A, E, R>(
    model: Model,
    use: Effect.Effect<A, E, R>,
  ) => Effect.Effect<A, E | PluginError | ModelError, R>
  /** Writes the model with several adapters merged at once as a checkpoint; the model in memory stays as it is. */
  readonly saveMerged: (
    model: Model,
    names: ReadonlyArray<string>,
    directory: string,
    checkpoint?: CheckpointOptions,
  ) => Effect.Effect<
    void,
    PluginError | ModelError | BackendError | SafetensorsError | StorageError,
    FileSystem.FileSystem
  >
}

/** Identity of the capability. */
export interface Lora {
  /** Nominal brand. */
  readonly "~espalier/Lora": "~espalier/Lora"
}
/** Key of the capability. Every adapter's layer provides the same collection, so merging layers loses none. */
export const Lora: Context.Service<Lora, LoraService> = Context.Service<Lora, LoraService>("@espalier/espalier/Lora")

/** An adapter. Fails with {@link PluginError} on options that make no sense. */
export function layer(options: LoraOptions = {}): Layer.Layer<Lora, PluginError, Plugins> {
  return plugin(Lora, Effect.flatMap(checked(options), (resolved) => provide(resolved)))
}

/**
 * A saved adapter, PEFT's or one from here: its config gives the options, its weights are the first values. Fails before
 * any weight of the base model is read.
 *
 * @param name Name of the adapter within the model; it is also the folder's name within `directory` unless `"default"`.
 * @param more What PEFT's files do not hold.
 */
export function fromPeft(
  directory: string,
  name = "default",
  more: Pick<LoraOptions, "loraPlusLrRatio" | "ownModules"> = {},
): Layer.Layer<Lora, PluginError | PeftError | StorageError, Plugins | FileSystem.FileSystem> {
  return plugin(
    Lora,
    Effect.gen(function* () {
      const files = yield* readAdapter(directory, name)
      const [file, weights] = [CONFIG_FILE, WEIGHTS_FILE].map((file) => adapterFile(name, file))
      const { config, names } = yield* attemptPeft(() => ({
        config: decodeLoraConfig(new TextDecoder().decode(files[file]), `${directory}/${file}`),
        names: [...openTensors(files[weights], `${directory}/${weights}`).shapes.keys()],
      }))
      const { taskType, baseModel: _, notes = [], ensureWeightTying, ...options } = config
      // PEFT names heads of all families.
      const modulesToSave = options.modulesToSave.filter((module) => !HEADS.includes(module))
      const folders = [...(name === "default" ? [] : [`${directory}/${name}`]), directory]
      const tokenizers = yield* Effect.filter(folders, (folder) => pathExists(`${folder}/tokenizer.json`))
      const origin: Origin = {
        parts: firstParts(names),
        whole: wholeModules(names),
        ...(tokenizers.length === 0 ? {} : { tokenizer: tokenizers[0] }),
        notes,
        ...(taskType === undefined ? {} : { taskType }),
        ...(ensureWeightTying === undefined ? {} : { ensureWeightTying }),
      }
      return yield* provide(yield* checked({ ...options, ...more, modulesToSave, name }, origin), files)
    }),
  )
}

function checked(options: LoraOptions, origin?: Origin): Effect.Effect<ResolvedOptions, PluginError> {
  return Effect.suspend(() => {
    try {
      const resolved = resolveOptions(options, origin)
      contributionOf(resolved)
      return Effect.succeed(resolved)
    } catch (error) {
      return error instanceof PluginError ? Effect.fail(error) : Effect.die(error)
    }
  })
}

/** Loaded when it is asked for: most runs merge nothing. */
const merging = Effect.promise(() => import("./merge.ts"))

const adapterOf = new WeakMap<Contribution, LoraAdapter>()

function provide(
  options: ResolvedOptions,
  initial?: ArtifactFiles,
): Effect.Effect<readonly [LoraService, Contribution], never, Plugins> {
  return Effect.gen(function* () {
    const plugins = yield* Plugins
    const contribution = contributionOf(options, initial)
    adapterOf.set(contribution, {
      options,
      merge: (model) => Effect.flatMap(merging, ({ merge }) => merge(model, [options])),
      unmerge: (model) => Effect.flatMap(merging, ({ unmerge }) => unmerge(model, [options])),
      saveMerged: (model, directory, checkpoint = {}) =>
        Effect.flatMap(merging, ({ saveMerged }) => saveMerged(model, [options], directory, checkpoint)),
    })
    const adapters = Effect.map(plugins.all, (all) =>
      new Map(all.flatMap((contribution) => {
        const adapter = adapterOf.get(contribution)
        return adapter === undefined ? [] : [[adapter.options.name, adapter] as const]
      })))
    const adapter = (name = "default") =>
      Effect.flatMap(adapters, (all) => {
        const found = all.get(name)
        if (found !== undefined) return Effect.succeed(found)
        const message = `No adapter "${name}"; there are: ${[...all.keys()].join(", ")}`
        return Effect.fail(new PluginError({ plugin: `lora/${name}`, message }))
      })
    const all = (names: ReadonlyArray<string>) =>
      Effect.map(Effect.forEach(new Set(names), adapter), (found) => found.map(({ options }) => options))
    const ids = Effect.map(adapters, (found) => [...found.values()].map(({ options }) => options.id))
    const service: LoraService = {
      adapters,
      adapter,
      merge: (model, names) =>
        Effect.gen(function* () {
          const found = yield* all(names)
          yield* (yield* merging).merge(model, found)
        }),
      unmerge: (model, names) =>
        Effect.gen(function* () {
          const found = yield* all(names)
          yield* (yield* merging).unmerge(model, found)
        }),
      setActive: (model, names) =>
        Effect.gen(function* () {
          const on = yield* all(names)
          yield* activate(model, yield* ids, on.map(({ id }) => id))
        }),
      disabled: (model, use) => Effect.flatMap(ids, (ids) => withoutAdapters(model, ids, use)),
      saveMerged: (model, names, directory, checkpoint = {}) =>
        Effect.gen(function* () {
          const found = yield* all(names)
          yield* (yield* merging).saveMerged(model, found, directory, checkpoint)
        }),
    }
    return [service, contribution] as const
  })
}
export { OPTIONS as options } from "./options.ts"
