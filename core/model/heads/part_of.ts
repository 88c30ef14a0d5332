import type { Contribution } from "../../contracts/contribution.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import type { ModelParts, ViewState } from "../model.ts"
import { ModelError } from "../model_error.ts"
import { baseKey } from "../module.ts"
import { pluginKey } from "../sites/sites.ts"

/**
 * One task of a model of several: trunk and head under the names that a model of the task alone has, over the same memory.
 * Throws {@link ModelError} where there is no such task.
 */
export function partOf(parts: ModelParts, state: ViewState, name: string): readonly [ModelParts, ViewState] {
  const own = Object.hasOwn(parts.tasks, name) ? parts.tasks[name] : undefined
  if (own === undefined) {
    const names = Object.keys(parts.tasks)
    const message = `there is no task ${JSON.stringify(name)}; the model has ${JSON.stringify(names)}: name one of ` +
      `them, or take its model, view({ task: ${JSON.stringify(names[0])} })`
    throw new ModelError({ reason: "Task", message })
  }
  const { paths, task, network, tied, config } = own
  if (paths === undefined) return [parts, state]
  const ownPaths = new Map([...paths].map(([path, inModel]) => [inModel, path]))
  const contributions = parts.contributions.filter((one) => isFor(one, name))
  const ids = new Set(contributions.map(({ id }) => id))
  const inTree = new Set(["", ...parts.modules.map(({ path }) => path)])
  const renamed = <P extends Parameter>(parameter: P): ReadonlyArray<P> => {
    const { owner, module, name } = parameter
    if (owner !== "base" && !ids.has(owner)) return []
    // What a plugin has for no module in particular is called the same for every task.
    const path = inTree.has(module) ? ownPaths.get(module) : module
    if (path === undefined) return []
    return [{ ...parameter, module: path, key: owner === "base" ? baseKey(path, name) : pluginKey(owner, path, name) }]
  }
  const modules = parts.modules.flatMap(({ task: _, ...module }) => {
    const path = ownPaths.get(module.path)
    return path === undefined ? [] : [{ ...module, path }]
  })
  const byPath = new Map(modules.map((module) => [module.path, module]))
  const parameters = parts.parameters.flatMap(renamed)
  const keys = new Map(parts.parameters.flatMap((one) => renamed(one).map(({ key }) => [one.key, key])))
  const sites = [...parts.sites].flatMap(([path, all]) => {
    const module = byPath.get(ownPaths.get(path) ?? "")
    const here = all.filter(({ owner }) => ids.has(owner))
    return module === undefined || here.length === 0
      ? []
      : [[module.path, here.map((site) => ({ ...site, module }))] as const]
  })
  const { maxPositions } = parts.network
  const folded = [...state.folded].flatMap(([key, weight]) => {
    const own = keys.get(key)
    return own === undefined ? [] : [[own, weight] as const]
  })
  return [
    {
      ...parts,
      task,
      tasks: { [name]: { task, network: { ...network, maxPositions }, tied, config } },
      network: { ...network, maxPositions },
      config,
      tied,
      modules,
      contributions,
      parameters,
      sites: new Map(sites),
    },
    { ...state, folded: new Map(folded) },
  ]
}

/** Whether batches of a task go through what a plugin changes. */
const isFor = ({ tasks }: Contribution, task: string): boolean => tasks?.includes(task) ?? true
