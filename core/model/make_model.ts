import type { Parameter } from "../contracts/parameter.ts"
import { makeScope } from "./_scope.ts"
import type { Model } from "./model.ts"
import type { ResolvedSite } from "./sites.ts"

/** A model over its memory. */
export function makeModel(parts: Omit<Model, "merged" | "off" | "forward">): Model {
  const { parameters, modules, contributions, sites, tied, network } = parts
  const byKey = new Map(parameters.map((parameter) => [parameter.key, parameter]))
  const merged = new Set<string>()
  const off = new Set<string>()
  const infos = new Map(modules.map((module) => [module.path, module]))
  /** Whether every plugin that trains a base parameter is off. */
  const isOff = ({ owner, module, name }: Parameter): boolean => {
    const info = infos.get(module)
    if (off.size === 0 || owner !== "base" || info === undefined) return false
    const trainers = contributions.filter(({ trains }) => trains?.(info, name))
    return trainers.length > 0 && trainers.every(({ id }) => off.has(id))
  }
  return {
    ...parts,
    merged,
    off,
    forward: (batch, { training, checkpointing = false, key, methods = true, decoding, choice }) => {
      const isOn = ({ owner }: ResolvedSite) => !merged.has(owner) && !off.has(owner)
      const scope = makeScope({
        training,
        checkpointing,
        key,
        decoding,
        choice,
        sitesAt: (path) => methods ? (sites.get(path) ?? []).filter(isOn) : [],
        tensor: (name, original) => {
          const parameter = byKey.get(tied[name] ?? name)
          if (parameter === undefined) throw new Error(`The model has no parameter "${name}"`)
          return original || !methods || isOff(parameter)
            ? parameter.original?.tensor ?? parameter.tensor
            : parameter.tensor
        },
      })
      return network.forward(scope, batch)
    },
  }
}
