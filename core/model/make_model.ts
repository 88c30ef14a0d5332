import type { Parameter } from "../contracts/parameter.ts"
import { PluginError } from "../contracts/plugin_error.ts"
import type { Tensor } from "../tensor/tensor.ts"
import { makeScope } from "./sites/scope.ts"
import type { FoldedWeight, Model, ViewOptions } from "./model.ts"
import { sitesOn } from "./sites/sites.ts"

/** What a model is made of, all its views alike. */
export type ModelParts = Omit<Model, "merged" | "off" | "folded" | "forward" | "view" | "tensor">

/** What differs between views of a model. */
export type ViewState = Pick<Model, "merged" | "off" | "folded">

const ALL: ViewState = { merged: new Set(), off: new Set(), folded: new Map<string, FoldedWeight>() }

/** A model over its memory. */
export function makeModel(parts: ModelParts, state: ViewState = ALL): Model {
  const { parameters, modules, contributions, sites, tied, network } = parts
  const { merged, off, folded } = state
  const byKey = new Map(parameters.map((parameter) => [parameter.key, parameter]))
  const infos = new Map(modules.map((module) => [module.path, module]))
  /** Whether every plugin that trains a base parameter is off. */
  const isOff = ({ owner, module, name }: Parameter): boolean => {
    const info = infos.get(module)
    if (off.size === 0 || owner !== "base" || info === undefined) return false
    const trainers = contributions.filter(({ trains }) => trains?.(info, name))
    return trainers.length > 0 && trainers.every(({ id }) => off.has(id))
  }
  const on = sitesOn({ sites, merged, off })
  const tensor = (name: string, original: boolean): Tensor => {
    const parameter = byKey.get(tied[name] ?? name)
    if (parameter === undefined) throw new Error(`The model has no parameter "${name}"`)
    if (original || isOff(parameter)) return parameter.original?.tensor ?? parameter.tensor
    return folded.get(name)?.tensor ?? parameter.tensor
  }
  return {
    ...parts,
    ...state,
    tensor,
    forward: (batch, { training, checkpointing = false, key, methods = true, decoding, choice }) => {
      const scope = makeScope({
        training,
        checkpointing,
        key,
        decoding,
        choice,
        sitesAt: (path) => methods ? on.get(path) ?? [] : [],
        tensor: (name, original) => tensor(name, original || !methods),
      })
      return network.forward(scope, batch)
    },
    view: (options) => {
      const { scope = parts.scope } = options
      return makeModel({ ...parts, scope }, { ...state, off: offIn(parts, state, options) })
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
  return names.flatMap((name) => {
    const found = contributions.filter(({ id }) => id === name || id.startsWith(`${name}/`))
    if (found.length > 0) return found.map(({ id }) => id)
    const message = `the model has no plugin "${name}"; it has ${
      contributions.map(({ id }) => id).join(", ") || "none"
    }`
    throw new PluginError({ plugin: name, message })
  })
}
