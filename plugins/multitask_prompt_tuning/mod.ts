/**
 * Multitask prompt tuning (Wang et al. 2023): virtual tokens before a text, the product of rows that all tasks share and a
 * matrix of low rank for each task. With PEFT's options, in PEFT's files.
 *
 * ```ts
 * import * as MultitaskPromptTuning from "@espalier/espalier/multitask-prompt-tuning"
 *
 * const prompt = MultitaskPromptTuning.layer({ numVirtualTokens: 20, numRanks: 2 })
 * ```
 *
 * The model is loaded with its tasks by name, `Model.load(path, { tasks })`. A task's id in PEFT is its place among them;
 * the saved config has their names in `espalier_tasks`, which PEFT passes over.
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
import { readPrompt, type SavedPrompt } from "../peft_format/mod.ts"
import { type PeftError, peftError } from "../peft_names/mod.ts"
import { contributionOf } from "./contribution.ts"
import { type MultitaskPromptTuningOptions, type ResolvedOptions, resolveOptions } from "./options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export { PeftError, type PeftErrorFields } from "../peft_names/mod.ts"
export type { MultitaskPromptTuningOptions, ResolvedOptions } from "./options.ts"

/** The multitask prompts of a program. */
export interface MultitaskPromptTuningService {
  /** Options in force by name. */
  readonly prompts: Effect.Effect<ReadonlyMap<string, ResolvedOptions>, PluginError>
}

/** Identity of the capability. */
export interface MultitaskPromptTuning {
  /** Nominal brand. */
  readonly "~espalier/MultitaskPromptTuning": "~espalier/MultitaskPromptTuning"
}
/** Key of the capability. Every prompt's layer provides the same collection, so merging layers loses none. */
export const MultitaskPromptTuning: Context.Service<MultitaskPromptTuning, MultitaskPromptTuningService> = Context
  .Service<MultitaskPromptTuning, MultitaskPromptTuningService>("@espalier/espalier/MultitaskPromptTuning")

/** A prompt of several tasks. Fails with {@link PluginError} on options that make no sense. */
export function layer(
  options: MultitaskPromptTuningOptions = {},
): Layer.Layer<MultitaskPromptTuning, PluginError, Plugins | FileSystem.FileSystem> {
  return plugin(MultitaskPromptTuning, provide(options))
}

/** What a saved prompt does not say. */
export interface SavedPromptOptions {
  /** Name of the prompt within the model; it is also the folder's name within `directory` unless `"default"`. */
  readonly name?: string
  /**
   * Names of the tasks in the order of the files' ids. Default: those in the files, else (PEFT writes none) the model's.
   */
  readonly tasks?: ReadonlyArray<string>
}

/**
 * A saved prompt of several tasks, PEFT's or one from here: its config gives the options, its weights are the first values.
 * The model's tasks must be among its tasks. Heads that train lie in the folder of each task: a model of several tasks with
 * such heads reads them with `Model.loadAdapters`; here their absence is an error.
 */
export function fromPeft(
  directory: string,
  { name = "default", tasks }: SavedPromptOptions = {},
): Layer.Layer<MultitaskPromptTuning, PluginError | PeftError | StorageError, Plugins | FileSystem.FileSystem> {
  return plugin(
    MultitaskPromptTuning,
    Effect.gen(function* () {
      const { files, config } = yield* readPrompt(directory, name, ["MULTITASK_PROMPT_TUNING"])
      const { numVirtualTokens, numTasks, numRanks, notes } = config
      const names = tasks ?? config.tasks
      if (names !== undefined && names.length !== numTasks) {
        const message = `num_tasks is ${numTasks}, and the tasks are ${JSON.stringify(names)}: name each of them once`
        return yield* peftError("Mismatch", directory, message)
      }
      const options = { name, numVirtualTokens, numRanks, ...(names === undefined ? {} : { tasks: names }) }
      return yield* provide(options, { files, ...(notes === undefined ? {} : { notes }) })
    }),
  )
}

const collect = collection<ResolvedOptions>()

function provide(
  options: MultitaskPromptTuningOptions,
  saved?: SavedPrompt,
): Effect.Effect<
  readonly [MultitaskPromptTuningService, Contribution],
  PluginError,
  Plugins | FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const resolved = yield* attempt(() => resolveOptions(options), PluginError)
    const contribution = yield* contributionOf(resolved, saved)
    return [{ prompts: yield* collect(contribution, resolved.name, resolved) }, contribution] as const
  })
}
export { OPTIONS as options } from "./options.ts"
