/**
 * Prompt tuning (Lester et al. 2021): virtual tokens before a text, whose embeddings are trained; and P-tuning (Liu et
 * al. 2021), which trains them through a network. With PEFT's options, in PEFT's files.
 *
 * ```ts
 * import * as PromptTuning from "@espalier/espalier/prompt-tuning"
 *
 * const prompt = PromptTuning.layer({ promptTuningInitText: "Classify the message as ham or spam:" })
 * const pTuning = PromptTuning.layer({ name: "p", encoderReparameterizationType: "MLP", encoderHiddenSize: 128 })
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
  type PeftPromptConfig,
  promptBank,
  type PromptBankOptions,
  promptContribution,
  readPrompt,
  type SavedPrompt,
} from "../peft_format/mod.ts"
import { adapterFile, type PeftError } from "../peft_names/mod.ts"
import { methodOf } from "./contribution.ts"
import { type PromptTuningOptions, type ResolvedOptions, resolveOptions } from "./options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export { PROMPT_BANK_OPTIONS as bankOptions, type PromptBankOptions } from "../peft_format/mod.ts"
export { PeftError, type PeftErrorFields } from "../peft_names/mod.ts"
export type { PromptTuningOptions, ResolvedOptions } from "./options.ts"

/** The prompts of a program. */
export interface PromptTuningService {
  /** Options in force by name. */
  readonly prompts: Effect.Effect<ReadonlyMap<string, ResolvedOptions>, PluginError>
}

/** Identity of the capability. */
export interface PromptTuning {
  /** Nominal brand. */
  readonly "~espalier/PromptTuning": "~espalier/PromptTuning"
}
/** Key of the capability. Every prompt's layer provides the same collection, so merging layers loses none. */
export const PromptTuning: Context.Service<PromptTuning, PromptTuningService> = Context.Service<
  PromptTuning,
  PromptTuningService
>("@espalier/espalier/PromptTuning")

/** A prompt. Fails with {@link PluginError} on options that make no sense. */
export function layer(
  options: PromptTuningOptions = {},
): Layer.Layer<PromptTuning, PluginError, Plugins | FileSystem.FileSystem> {
  return plugin(PromptTuning, provide(options))
}

/**
 * A saved prompt of prompt tuning or P-tuning, PEFT's or one from here: its config gives the options, its weights are the
 * first values. One that was trained through a network goes on without it where the network's file is not there: PEFT does
 * not save it.
 *
 * @param name Name of the prompt within the model; it is also the folder's name within `directory` unless `"default"`.
 */
export function fromPeft(
  directory: string,
  name = "default",
): Layer.Layer<PromptTuning, PluginError | PeftError | StorageError, Plugins | FileSystem.FileSystem> {
  return plugin(
    PromptTuning,
    Effect.gen(function* () {
      const { files, config } = yield* readPrompt(directory, name, ["PROMPT_TUNING", "P_TUNING"])
      const hasEncoder = files[adapterFile(name, ENCODER_FILE)] !== undefined
      const options = { name, numVirtualTokens: config.numVirtualTokens, ...startOf(config, hasEncoder) }
      return yield* provide(options, { files, ...(config.notes === undefined ? {} : { notes: config.notes }) })
    }),
  )
}

/** Options that say how a prompt started, and through what it is trained. */
function startOf(config: PeftPromptConfig<"PROMPT_TUNING" | "P_TUNING">, hasEncoder: boolean): PromptTuningOptions {
  if (config.peftType === "PROMPT_TUNING") {
    const { promptTuningInit, promptTuningInitText } = config
    return promptTuningInit === "TEXT" && promptTuningInitText !== undefined
      ? { promptTuningInit, promptTuningInitText }
      : { promptTuningInit: promptTuningInit === "TEXT" ? "RANDOM" : promptTuningInit }
  }
  const { encoderHiddenSize } = config
  if (!hasEncoder) return { promptTuningInit: "RANDOM" }
  return {
    encoderReparameterizationType: "MLP",
    ...(encoderHiddenSize === undefined ? {} : { encoderHiddenSize }),
  }
}

const collect = collection<ResolvedOptions>()

function provide(
  options: PromptTuningOptions,
  saved?: SavedPrompt,
): Effect.Effect<readonly [PromptTuningService, Contribution], PluginError, Plugins | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const resolved = yield* attempt(() => resolveOptions(options), PluginError)
    const contribution = yield* promptContribution(methodOf(resolved), saved)
    return [{ prompts: yield* collect(contribution, resolved.name, resolved) }, contribution] as const
  })
}
/**
 * A bank of prompts, for `Model.withAdapters` and the option `adapters` of `Model.engine`: PEFT's or from here, all of one
 * number of virtual tokens; every row names one. Throws PluginError on options that make no sense.
 */
export function bank(options: PromptBankOptions = {}): BankMethod {
  return promptBank(
    "prompt_tuning",
    options,
    (numVirtualTokens) => methodOf(resolveOptions({ numVirtualTokens, promptTuningInit: "RANDOM" })),
  )
}
export { OPTIONS as options } from "./options.ts"
