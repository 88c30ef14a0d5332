import type { OptionTable, Resolved } from "../../core/options/field.ts"
import * as field from "../../core/options/fields.ts"
import { demandOf, methodName, methodOptions } from "../../core/options/method_options.ts"

/** Options of multitask prompt tuning, with PEFT's meaning. */
export interface MultitaskPromptTuningOptions {
  /** Tells prompts of one model apart; the plugin's id is `multitask_prompt_tuning/<name>`. Default `"default"`. */
  readonly name?: string
  /** Number of rows that come before the embedded tokens. Default 20. */
  readonly numVirtualTokens?: number
  /** Rank of what differs between tasks. Default 1. */
  readonly numRanks?: number
  /**
   * Names of the tasks in the order of PEFT's task ids. Those of the model must be among them; what belongs to the others
   * is kept as it is. Default: the model's tasks in the order that it was loaded with, or those of a saved prompt.
   */
  readonly tasks?: ReadonlyArray<string>
  /**
   * How the prompt starts. `"RANDOM"`: the shared rows from N(0, 1), the factors of tasks from N(0, 0.02^2). `"TEXT"`: the
   * shared rows as embeddings of a text. `"AVERAGE_SOURCE_TASKS"` and `"EXACT_SOURCE_TASK"`: all of it from another run's
   * files, each task with the mean of its tasks' factors, or with those of one. `"ONLY_SOURCE_SHARED"`: the shared rows
   * from there. Default `"TEXT"` where there is a text, else `"RANDOM"`.
   */
  readonly promptTuningInit?:
    | "RANDOM"
    | "TEXT"
    | "AVERAGE_SOURCE_TASKS"
    | "EXACT_SOURCE_TASK"
    | "ONLY_SOURCE_SHARED"
  /**
   * A text for the tokenizer in the model's directory, or its token ids: over again or cut to the number of virtual tokens.
   */
  readonly promptTuningInitText?: string | ReadonlyArray<number>
  /** The other run's `adapter_model.safetensors`. */
  readonly promptTuningInitStateDictPath?: string
  /** Task id in those files that `"EXACT_SOURCE_TASK"` takes. Default 0. */
  readonly promptTuningInitTask?: number
}

/** Options, checked and with defaults filled in. */
export interface ResolvedOptions
  extends Resolved<MultitaskPromptTuningOptions, "tasks" | "promptTuningInitText" | "promptTuningInitStateDictPath"> {
  /** Id of the plugin: `multitask_prompt_tuning/<name>`. */
  readonly id: string
}

/** {@link MultitaskPromptTuningOptions} as a table. */
export const OPTIONS: OptionTable<
  MultitaskPromptTuningOptions,
  "tasks" | "promptTuningInitText" | "promptTuningInitStateDictPath"
> = {
  name: methodName,
  numVirtualTokens: field.integer({ minimum: 1, default: 20, doc: "Rows before the embedded tokens" }),
  numRanks: field.integer({ minimum: 1, default: 1, doc: "Rank of what differs between tasks" }),
  tasks: field.list(field.text({}), { absent: "the model's", doc: "Names of the tasks in the order of PEFT's ids" }),
  promptTuningInit: field.choice(
    ["RANDOM", "TEXT", "AVERAGE_SOURCE_TASKS", "EXACT_SOURCE_TASK", "ONLY_SOURCE_SHARED"],
    {
      default: ({ promptTuningInitText: text }) => text === undefined ? "RANDOM" : "TEXT",
      absent: "TEXT where there is a text, else RANDOM",
      doc: "How the prompt starts",
    },
  ),
  promptTuningInitText: field.anyOf([field.text({}), field.list(field.integer({}), {})], {
    wanted: "a text or a list of token ids",
    doc: "A text to start from, or its token ids",
  }),
  promptTuningInitStateDictPath: field.text({ doc: "Weights of another run to start from" }),
  promptTuningInitTask: field.integer({ minimum: 0, default: 0, doc: "Task id there that EXACT_SOURCE_TASK takes" }),
}

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: MultitaskPromptTuningOptions): ResolvedOptions {
  const resolved = methodOptions("multitask_prompt_tuning", OPTIONS, options)
  const { id, tasks, promptTuningInit: init, promptTuningInitText: text } = resolved
  const { promptTuningInitStateDictPath: path, promptTuningInitTask: task } = resolved
  const must = demandOf(id)
  const each = tasks === undefined || (tasks.length > 0 && new Set(tasks).size === tasks.length)
  must(each, "tasks", "one name or more, each once", tasks)
  must(
    (init === "TEXT") === (text !== undefined),
    "promptTuningInitText",
    'given with promptTuningInit "TEXT" alone',
    text,
  )
  const source = init !== "RANDOM" && init !== "TEXT"
  const wanted = "given with a promptTuningInit from a source, and with none else"
  must(source === (path !== undefined), "promptTuningInitStateDictPath", wanted, path)
  must(init === "EXACT_SOURCE_TASK" || task === 0, "promptTuningInitTask", '0 without "EXACT_SOURCE_TASK"', task)
  return resolved
}
