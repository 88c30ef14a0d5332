/**
 * LoRA (Hu et al. 2021): low-rank updates beside frozen weights, with PEFT's options, in PEFT's files. With DoRA, PiSSA,
 * OLoRA and LoRA+ ({@link LoraOptions}).
 *
 * One model can have several adapters: all on, some of them in a view (`model.view({ without: ["lora/news"] })`), or another
 * for each row of a batch (`plugins` of `predict`, `evaluate` and `embed`). What adapters train whole (a head, biases) is
 * the model's, and there once; with `ownModules` each has a head of its own. `Model.merge` and `Model.saveMerged` merge them.
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
import { attempt } from "../../core/contracts/attempt.ts"
import type { Contribution } from "../../core/contracts/contribution.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { collection, plugin, type Plugins } from "../../core/contracts/plugins.ts"
import type { StorageError } from "../../core/formats/files/storage_error.ts"
import type { PeftError } from "../peft_names/mod.ts"
import { type CheckpointOptions, type Model, saveMerged } from "../../core/model/mod.ts"
import type { Families } from "../../core/model/load/families.ts"
import type { GgufAdapterError, GgufAdapterOptions } from "./files/gguf_adapter.ts"
import { contributionOf } from "./contribution.ts"
import { type LoraOptions, type LoraVariant, type Origin, type ResolvedOptions, resolveOptions } from "./options.ts"

import type { Saved } from "./saved.ts"
import type { VariantFields } from "./variant.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export type { FloatDType } from "../../core/formats/safetensors/safetensors.ts"
export type * from "../../core/model/mod.ts"
export type * from "../../core/model/module.ts"
export type * from "../../core/model/network.ts"
export { PeftError, type PeftErrorFields } from "../peft_names/mod.ts"
export type { GgufAdapterError, GgufAdapterOptions } from "./files/gguf_adapter.ts"
export { combine } from "./combine/combine.ts"
export type { CombinedModule, CombineReport } from "./combine/combine_adapters.ts"
export { CombineError, type CombineErrorFields } from "../../core/weights/combine/combine_error.ts"
export type { CombinationType, CombineOptions } from "./combine/combine_options.ts"
export type { AdapterSource } from "./combine/combine_sources.ts"
export { bank } from "./bank/bank.ts"
export type { LoraBankOptions } from "./bank/bank_options.ts"
export { A, B, narrowProduct } from "./low_rank.ts"
export { type Named, rankAndScale, type RankOptions, targetRule } from "./targets.ts"
export type { Saved, SeenBase } from "./saved.ts"
export type { VariantFields, VariantOf } from "./variant.ts"
export type { GroupPooling, LoftqBase } from "../peft_format/mod.ts"
export type {
  LoraInitialization,
  LoraOptions,
  LoraVariant,
  OptionWithoutDefault,
  Origin,
  ResolvedOptions,
} from "./options.ts"

/** The adapters of a program. `model.view` switches them on and off, `Model.merge` merges them, by their ids. */
export interface LoraService {
  /** Options in force by name. */
  readonly adapters: Effect.Effect<ReadonlyMap<string, ResolvedOptions>, PluginError>
  /** `Model.saveMerged` of adapters by their names. */
  readonly saveMerged: (
    model: Model,
    names: ReadonlyArray<string>,
    directory: string,
    checkpoint?: CheckpointOptions,
  ) => ReturnType<typeof saveMerged>
  /**
   * Writes an adapter as a GGUF file, which llama.cpp loads beside a base (`--lora`), and Ollama by `ADAPTER` in a Modelfile.
   * Alpha stands for all modules there; what rsLoRA, `rankPattern` and `alphaPattern` make of it otherwise goes into B. Fails
   * with {@link PluginError} where the adapter is more than low-rank updates: DoRA, biases, modules that train whole, LoftQ's
   * base, and embeddings that are the output too.
   */
  readonly saveGguf: (
    model: Model,
    path: string,
    options?: GgufAdapterOptions,
  ) => Effect.Effect<void, GgufAdapterError, FileSystem.FileSystem | Families>
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
  return plugin(Lora, provide(options))
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
      const { readSaved } = yield* Effect.promise(() => import("./files/mod.ts"))
      const { options, origin, saved } = yield* readSaved(directory, name, true)
      return yield* provide({ ...options, ...more }, origin, saved)
    }),
  )
}

/** A saved adapter, as {@link readAdapter} gives it. */
export interface SavedAdapter {
  /** Its options. */
  readonly options: LoraOptions
  /** What its files say beside them. */
  readonly origin: Origin
  /** The files. */
  readonly saved: Saved
  /** Their fields of variants. */
  readonly fields: VariantFields
}

/** For authors of variants: a saved adapter, for {@link variantOf}. */
export function readAdapter(
  directory: string,
  name: string,
): Effect.Effect<SavedAdapter, PeftError | StorageError, FileSystem.FileSystem> {
  return Effect.flatMap(
    Effect.promise(() => import("./files/mod.ts")),
    ({ readSaved }) => readSaved(directory, name, false),
  )
}

/**
 * For authors of variants: options in force and the contribution of an adapter. Throws {@link PluginError} on options that
 * make no sense.
 */
export function variantOf(
  variant: LoraVariant,
  options: LoraOptions,
  from?: SavedAdapter,
): readonly [ResolvedOptions, Contribution] {
  const resolved = resolveOptions({ ...from?.options, ...options }, from?.origin, variant)
  return [resolved, contributionOf(resolved, from?.saved)]
}

/** For authors of variants: the layer's service, of an adapter among all others, with its contribution. */
export function adapterService(
  [resolved, contribution]: readonly [ResolvedOptions, Contribution],
): Effect.Effect<readonly [LoraService, Contribution], PluginError, Plugins> {
  return Effect.map(collect(contribution, resolved.name, resolved), (adapters) => {
    const merged: LoraService["saveMerged"] = (model, names, directory, checkpoint = {}) =>
      saveMerged(model, directory, { ...checkpoint, only: names.map((name) => `lora/${name}`) })
    const saveGguf: LoraService["saveGguf"] = (model, path, options = {}) =>
      Effect.gen(function* () {
        const { saveGgufAdapter } = yield* Effect.promise(() => import("./files/gguf_adapter.ts"))
        return yield* saveGgufAdapter(model, path, yield* adapters, options)
      })
    return [{ adapters, saveMerged: merged, saveGguf }, contribution] as const
  })
}

const collect = collection<ResolvedOptions>()

function provide(
  options: LoraOptions,
  origin?: Origin,
  saved?: Saved,
): Effect.Effect<readonly [LoraService, Contribution], PluginError, Plugins> {
  return Effect.flatMap(
    attempt(() => {
      const resolved = resolveOptions(options, origin)
      return [resolved, contributionOf(resolved, saved)] as const
    }, PluginError),
    adapterService,
  )
}
export { OPTIONS as options } from "./options.ts"
