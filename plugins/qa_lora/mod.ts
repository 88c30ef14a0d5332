/**
 * QA-LoRA (Xu et al. 2024, "QA-LoRA: Quantization-Aware Low-Rank Adaptation of Large Language Models"): LoRA whose A reads
 * one number for each group of inputs, over a base that is quantized in such groups. The update is the same for all weights
 * of a group, so merging adds it to the groups' offsets and leaves codes and scales as they are: what was trained is what
 * ships, in the same bits. `Model.merge` does that in memory.
 *
 * The base must be kept in groups with scale and offset: `GroupQuantization`. The paper trains with AdamW at a constant
 * rate of 2e-5 (1e-5 from 33B), gradients clipped at a norm of 0.3, in batches of 16.
 *
 * ```ts
 * import * as Layer from "effect/Layer"
 * import * as QaLora from "@espalier/espalier/qa-lora"
 * import * as Quantization from "@espalier/espalier/quantization"
 *
 * const quantized = Quantization.layer({ format: "grouped", bits: 4, groupSize: 32 })
 * const methods = QaLora.layer({ r: 16, loraAlpha: 16 }).pipe(Layer.provideMerge(quantized))
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
import { methodOptions } from "../../core/options/method_options.ts"
import { readAdapter, type SavedAdapter, variantOf } from "../lora/mod.ts"
import { PeftError } from "../peft_names/mod.ts"
import { GroupQuantization } from "../quantization/mod.ts"
import { OPTIONS, type QaLoraOptions, type ResolvedQaLora } from "./options.ts"
import { type Groups, planGroups } from "./pooled_update.ts"
import { groupsOf } from "./saved.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export type { GroupPooling } from "../lora/mod.ts"
export type { GroupQuantization, QuantizationOptions, QuantizationService } from "../quantization/mod.ts"
export { PeftError, type PeftErrorFields } from "../peft_names/mod.ts"
export { OPTIONS as options, type OptionWithoutDefault, type QaLoraOptions, type ResolvedQaLora } from "./options.ts"
export type { Groups } from "./pooled_update.ts"

/** The adapters of a program. `model.view` switches them on and off, `Model.merge` merges them, as `qa-lora/<name>`. */
export interface QaLoraService {
  /** Options in force by name. */
  readonly adapters: Effect.Effect<ReadonlyMap<string, ResolvedQaLora>, PluginError>
}

/** Identity of the capability. */
export interface QaLora {
  /** Nominal brand. */
  readonly "~espalier/QaLora": "~espalier/QaLora"
}
/** Key of the capability. Every adapter's layer provides the same collection, so merging layers loses none. */
export const QaLora: Context.Service<QaLora, QaLoraService> = Context.Service<QaLora, QaLoraService>(
  "@espalier/espalier/QaLora",
)

/**
 * An adapter. Fails with {@link PluginError} on options that make no sense; `Model.load` does where a target is not kept in
 * groups with offsets, or where groups do not divide its inputs.
 */
export function layer(
  options: QaLoraOptions = {},
): Layer.Layer<QaLora, PluginError, Plugins | GroupQuantization> {
  return plugin(QaLora, Effect.andThen(Effect.service(GroupQuantization), provide(options)))
}

/**
 * A saved adapter, from here or of PEFT: its config gives the options, its weights are the first values. Fails before any
 * weight of the base is read, and where the file does not say what A reads of a group.
 *
 * @param name Name of the adapter within the model; it is also the folder's name within `directory` unless `"default"`.
 * @param groups What the files do not say: of an adapter that the authors' code saved,
 * `{ groupSize: 32, pooling: "mean" }`.
 */
export function fromPeft(
  directory: string,
  name = "default",
  groups: Partial<Groups> = {},
): Layer.Layer<
  QaLora,
  PluginError | PeftError | StorageError,
  Plugins | GroupQuantization | FileSystem.FileSystem
> {
  return plugin(
    QaLora,
    Effect.gen(function* () {
      yield* GroupQuantization
      const saved = yield* readAdapter(directory, name)
      const own = yield* attempt(() => groupsOf(saved, groups, directory), PeftError)
      return yield* provide({ ...own, name }, saved)
    }),
  )
}

const collect = collection<ResolvedQaLora>()

function provide(
  options: QaLoraOptions,
  saved?: SavedAdapter,
): Effect.Effect<readonly [QaLoraService, Contribution], PluginError, Plugins> {
  return Effect.gen(function* () {
    const [resolved, contribution] = yield* attempt(() => {
      const { id: _, groupSize, pooling, ...lora } = methodOptions("qa-lora", OPTIONS, options)
      const groups: Groups = { groupSize, pooling }
      const [own, contribution] = variantOf(
        {
          method: "qa-lora",
          plan: (options, module) => planGroups(groups, options, module),
          settings: groups,
          fields: () => ({ useQalora: true, qaloraGroupSize: groupSize, qaloraPooling: pooling }),
        },
        saved === undefined ? lora : {},
        saved,
      )
      const resolved = { ...own, groupSize, pooling } as Readonly<Record<string, unknown>>
      const names = Object.keys(OPTIONS).filter((name) => resolved[name] !== undefined)
      return [Object.fromEntries(names.map((name) => [name, resolved[name]])) as ResolvedQaLora, contribution] as const
    }, PluginError)
    const adapters = yield* collect(contribution, resolved.name, resolved)
    return [{ adapters }, contribution] as const
  })
}
