import type { Parameter } from "../contracts/parameter.ts"
import { PluginError } from "../contracts/plugin_error.ts"
import { TEXTS, wrongArgument } from "../options/argument.ts"
import { unknownOption } from "../options/unknown_option.ts"
import type { Tensor } from "../tensor/tensor.ts"
import { partOf } from "./heads/part_of.ts"
import { makeScope } from "./sites/scope.ts"
import type { FoldedWeight, Model, ModelParts, ViewOptions, ViewState } from "./model.ts"
import { ModelError } from "./model_error.ts"
import { sitesOn } from "./sites/sites.ts"

const ALL: ViewState = { merged: new Set(), off: new Set(), folded: new Map<string, FoldedWeight>() }

/** A model over its memory. */
export function makeModel(parts: ModelParts, state: ViewState = ALL): Model {
  const { parameters, modules, contributions, sites, tied, tasks, bank } = parts
  const { merged, off, folded } = state
  const byKey = new Map(parameters.map((parameter) => [parameter.key, parameter]))
  const infos = new Map(modules.map((module) => [module.path, module]))
  /** Whether every plugin that trains a base parameter is off. */
  const isOff = ({ owner, module, name }: Parameter): boolean => {
    const info = infos.get(module)
    if (off.size === 0 || owner !== "base" || info === undefined) return false
    const trainers = contributions.filter(({ trains }) => trains?.(info, name, modules))
    return trainers.length > 0 && trainers.every(({ id }) => off.has(id))
  }
  const on = sitesOn({ sites, merged, off })
  const tensor = (name: string, original: boolean): Tensor => {
    const parameter = byKey.get(tied[name] ?? name)
    if (parameter === undefined) throw new Error(`The model has no parameter "${name}"`)
    const weight = folded.get(name)
    if (original) return parameter.original?.tensor ?? parameter.tensor
    if (isOff(parameter)) return (weight?.original ?? parameter.original ?? parameter).tensor
    return (weight ?? parameter).tensor
  }
  const [[task, own]] = Object.entries(tasks)
  const byTask = new Map<string, Model>()
  /** The model of one of the tasks; always the same value, so that its programs are kept. */
  const ofTask = (task: string): Model => {
    const known = byTask.get(task) ?? makeModel(...partOf(parts, state, task))
    byTask.set(task, known)
    return known
  }
  return {
    ...parts,
    ...state,
    tensor,
    forward: (batch, options) => {
      if (own.paths !== undefined) return ofTask(batch.task).forward(batch, options)
      const { training, checkpointing = false, key, methods = true, decoding, choice, adapters } = options
      const more = bank === undefined || adapters === undefined ? undefined : {
        sitesAt: (path: string) => bank.sites.get(path) ?? [],
        parameter: (key: string) => bank.parameter(key, adapters),
      }
      const scope = makeScope({
        task,
        training,
        checkpointing,
        key,
        decoding,
        choice,
        sitesAt: (path) => methods ? [...on.get(path) ?? [], ...more?.sitesAt(path) ?? []] : [],
        tensor: (name, original) => more?.parameter(name) ?? tensor(name, original || !methods),
      })
      return own.network.forward(scope, batch)
    },
    view: (options) => {
      const unknown = unknownOption(options, { only: true, without: true, task: true, scope: true })
      if (unknown !== undefined) throw new ModelError({ reason: "Options", message: unknown })
      const { task, scope = parts.scope, ...plugins } = options
      if (scope !== parts.scope || Object.keys(plugins).length > 0) {
        const other = makeModel({ ...parts, scope }, { ...state, off: offIn(parts, state, plugins) })
        return task === undefined ? other : other.view({ task })
      }
      return task === undefined ? makeModel(parts, state) : ofTask(task)
    },
  }
}

/** Ids of plugins that a view leaves out. Throws {@link PluginError}. */
function offIn(parts: ModelParts, { merged, off }: ViewState, { only, without = [] }: ViewOptions): Set<string> {
  const ids = parts.contributions.map(({ id }) => id)
  const on = only && idsOf(parts, only)
  const out = new Set([
    ...(on === undefined ? off : ids.filter((id) => !on.includes(id))),
    ...idsOf(parts, without),
  ])
  const fixed = [...out].find((id) => merged.has(id))
  if (fixed === undefined) return out
  const message = `${fixed} is merged: its update lies in the weights of this model and cannot be switched off; ` +
    "take the view of the model that it was merged from"
  throw new PluginError({ plugin: fixed, message })
}

/** Ids of the plugins of these ids and methods. Throws {@link PluginError} on one that is not there. */
export function idsOf(
  { contributions }: Pick<Model, "contributions">,
  names: ReadonlyArray<string>,
): ReadonlyArray<string> {
  const wrong = wrongArgument("plugins", names, TEXTS)
  if (wrong !== undefined) throw new PluginError({ plugin: "", message: wrong })
  return names.flatMap((name) => {
    const found = contributions.filter(({ id }) => id === name || id.startsWith(`${name}/`))
    if (found.length > 0) return found.map(({ id }) => id)
    const message = `the model has no plugin "${name}"; it has ${
      contributions.map(({ id }) => id).join(", ") || "none"
    }`
    throw new PluginError({ plugin: name, message })
  })
}
