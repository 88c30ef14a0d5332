import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Contribution, NamedValues, TaskInfo } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import {
  initTokens,
  inputPrefixFields,
  promptContributionFor,
  type PromptMethod,
  type SavedPrompt,
  tokenEmbeddings,
} from "../peft_format/mod.ts"
import type { ResolvedOptions } from "./options.ts"
import { type PromptTasks, sitesOf } from "./sites.ts"
import { sourceValues } from "./source.ts"
import { COLUMNS, EMBEDDING, fromPeft, peftShapes, ROWS, toPeft } from "./tensors.ts"

export function contributionOf(
  options: ResolvedOptions,
  saved?: SavedPrompt,
): Effect.Effect<Contribution, never, FileSystem.FileSystem> {
  return promptContributionFor(options.id, (tasks) => methodOf(options, tasksOf(options, tasks)), saved)
}

/** Throws PluginError where the model's tasks are not the prompt's. */
function tasksOf({ id, tasks }: ResolvedOptions, model: Readonly<Record<string, TaskInfo>>): PromptTasks {
  const names = Object.keys(model)
  if (names.length === 0) {
    if (tasks === undefined || tasks.length === 1) return { names: ["default"], own: ["default"], named: false }
    throw pluginError(
      id,
      `its tasks are ${JSON.stringify(tasks)}, and the model has one without a name: load it with the name of its ` +
        "task, Model.load(path, { tasks: { name: ... } })",
    )
  }
  const missing = names.find((name) => tasks !== undefined && !tasks.includes(name))
  if (missing === undefined) return { names: tasks ?? names, own: names, named: true }
  throw pluginError(id, `the model has the task ${JSON.stringify(missing)}; the prompt has ${JSON.stringify(tasks)}`)
}

function methodOf(options: ResolvedOptions, tasks: PromptTasks): PromptMethod {
  const { id, name, numVirtualTokens, numRanks, promptTuningInit } = options
  const { promptTuningInitText: text, promptTuningInitStateDictPath: source } = options
  const { names, named } = tasks
  return {
    id,
    name,
    settings: options,
    numVirtualTokens,
    sites: sitesOf(options, tasks),
    types: ["MULTITASK_PROMPT_TUNING"],
    modelFields: inputPrefixFields,
    width: ({ tokenDim }) => tokenDim,
    config: () => ({
      peftType: "MULTITASK_PROMPT_TUNING",
      promptTuningInit,
      ...(typeof text === "string" ? { promptTuningInitText: text } : {}),
      numTasks: names.length,
      numRanks,
      ...(named ? { tasks: names } : {}),
    }),
    encoder: false,
    ...(named ? { tasks: names } : {}),
    beside: [COLUMNS, ROWS],
    shapes: (own) => peftShapes(names, own),
    toPeft: (own) => toPeft(names, own),
    fromPeft: (tensors, own) => fromPeft(names, tensors, own),
    promptEmbeddings: (tensors) => tensors.get(EMBEDDING)!,
    ...(text !== undefined
      ? {
        initialize: (own, base) =>
          Effect.flatMap(initTokens(id, text, numVirtualTokens, base), (tokens) =>
            Effect.map(tokenEmbeddings(id, embeddingOf(own), base, tokens), (values): NamedValues[] => [values])),
      }
      : source !== undefined
      ? { initialize: (own) => sourceValues(options, source, own) }
      : {}),
  }
}

const embeddingOf = (own: ReadonlyArray<Parameter>) => own.find(({ name }) => name === EMBEDDING)!
