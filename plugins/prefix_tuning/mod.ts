/**
 * Prefix tuning (Li and Liang 2021): keys and values that every token attends to, before the sequence's own, in every
 * layer; with PEFT's options, in PEFT's files.
 *
 * ```ts
 * import * as PrefixTuning from "@espalier/espalier/prefix-tuning"
 *
 * const methods = PrefixTuning.layer({ numVirtualTokens: 16, initText: "Is this message spam?" })
 * ```
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import { attempt } from "../../core/contracts/attempt.ts"
import type { BankMethod } from "../../core/contracts/bank/bank_method.ts"
import type { Contribution } from "../../core/contracts/contribution.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { collection, plugin, type Plugins } from "../../core/contracts/plugins.ts"
import type { StorageError } from "../../core/formats/files/storage_error.ts"
import {
  ENCODER_FILE,
  promptBank,
  type PromptBankOptions,
  promptContribution,
  readPrompt,
  type SavedPrompt,
} from "../peft_format/mod.ts"
import { adapterFile, type PeftError } from "../peft_names/mod.ts"
import { methodOf } from "./contribution.ts"
import { type PrefixTuningOptions, type ResolvedOptions, resolveOptions } from "./options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export { PROMPT_BANK_OPTIONS as bankOptions, type PromptBankOptions } from "../peft_format/mod.ts"
export { PeftError, type PeftErrorFields } from "../peft_names/mod.ts"
export type { PrefixTuningOptions, ResolvedOptions } from "./options.ts"

/** The prefixes of a program. */
export interface PrefixTuningService {
  /** Options in force by name. */
  readonly prefixes: Effect.Effect<ReadonlyMap<string, ResolvedOptions>, PluginError>
}

/** Identity of the capability. */
export interface PrefixTuning {
  /** Nominal brand. */
  readonly "~espalier/PrefixTuning": "~espalier/PrefixTuning"
}
/** Key of the capability. Every prefix's layer provides the same collection, so merging layers loses none. */
export const PrefixTuning: Context.Service<PrefixTuning, PrefixTuningService> = Context.Service<
  PrefixTuning,
  PrefixTuningService
>("@espalier/espalier/PrefixTuning")

/** A prefix. Fails with {@link PluginError} on options that make no sense. */
export function layer(
  options: PrefixTuningOptions = {},
): Layer.Layer<PrefixTuning, PluginError, Plugins | FileSystem.FileSystem> {
  return plugin(PrefixTuning, provide(options))
}

/**
 * A saved prefix, PEFT's or one from here: its config gives the options, its weights are the first values. One that was
 * trained with a projection goes on without it where the file of its network is not there: PEFT does not save it.
 *
 * @param name Name of the prefix within the model; it is also the folder's name within `directory` unless `"default"`.
 */
export function fromPeft(
  directory: string,
  name = "default",
): Layer.Layer<PrefixTuning, PluginError | PeftError | StorageError, Plugins | FileSystem.FileSystem> {
  return plugin(
    PrefixTuning,
    Effect.gen(function* () {
      const { files, config } = yield* readPrompt(directory, name, ["PREFIX_TUNING"])
      const { numVirtualTokens, encoderHiddenSize, initWeights } = config
      const prefixProjection = files[adapterFile(name, ENCODER_FILE)] !== undefined
      const options = {
        name,
        numVirtualTokens,
        prefixProjection,
        ...(prefixProjection && encoderHiddenSize !== undefined ? { encoderHiddenSize } : {}),
        ...(initWeights === undefined ? {} : { initWeights }),
      }
      return yield* provide(options, { files, ...(config.notes === undefined ? {} : { notes: config.notes }) })
    }),
  )
}

const collect = collection<ResolvedOptions>()

function provide(
  options: PrefixTuningOptions,
  saved?: SavedPrompt,
): Effect.Effect<readonly [PrefixTuningService, Contribution], PluginError, Plugins | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const resolved = yield* attempt(() => resolveOptions(options), PluginError)
    const contribution = yield* promptContribution(methodOf(resolved), saved)
    return [{ prefixes: yield* collect(contribution, resolved.name, resolved) }, contribution] as const
  })
}
/**
 * A bank of prefixes, for `Model.withAdapters` and the option `adapters` of `Model.engine`: PEFT's or from here, all of one
 * number of virtual tokens; every row names one. Throws PluginError on options that make no sense.
 */
export function bank(options: PromptBankOptions = {}): BankMethod {
  return promptBank("prefix_tuning", options, (numVirtualTokens) => methodOf(resolveOptions({ numVirtualTokens })))
}
export { OPTIONS as options } from "./options.ts"
