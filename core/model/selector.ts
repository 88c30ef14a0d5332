import type { ModuleInfo } from "../contracts/module_info.ts"
import { PluginError } from "../contracts/plugin_error.ts"
import type { Selector } from "../contracts/site.ts"
import { lastName } from "./module.ts"

/** Whether a path is `name`, or ends in it after a dot. */
export function endsIn(path: string, name: string): boolean {
  return path === name || path.endsWith(`.${name}`)
}

/** A selector as a test of one module. Throws {@link PluginError} on a text that is not a regular expression. */
export function matcher(selector: Selector, plugin: string): (module: ModuleInfo) => boolean {
  if (typeof selector === "function") return selector
  if (selector === "all-linear") return (module) => module.kind === "Linear" && !module.outputHead
  if (typeof selector !== "string") return (module) => selector.some((name) => endsIn(module.path, name))
  let pattern: RegExp
  try {
    pattern = new RegExp(`^(?:${selector})$`)
  } catch (cause) {
    const message = `${plugin}: ${JSON.stringify(selector)} is not a regular expression: ${(cause as Error).message}`
    throw new PluginError({ plugin, message })
  }
  return (module) => pattern.test(module.path)
}

/**
 * The modules that a selector means, in the tree's order. Throws {@link PluginError} with the candidates when there are
 * none, or when `select` is not a regular expression.
 */
export function select(
  modules: ReadonlyArray<ModuleInfo>,
  wanted: Selector,
  exclude: Selector | undefined,
  plugin: string,
): ReadonlyArray<ModuleInfo> {
  const takes = matcher(wanted, plugin)
  const leaves = exclude === undefined ? () => false : matcher(exclude, plugin)
  const matching = modules.filter(takes)
  const left = matching.filter((module) => !leaves(module))
  if (left.length > 0) return left
  const message = matching.length > 0
    ? `${plugin}: all ${matching.length} modules that ${show(wanted)} matches are excluded by ${show(exclude!)}`
    : `${plugin}: no module matches ${show(wanted)}; the model has ${candidates(modules)}`
  throw new PluginError({ plugin, message })
}

/** Names of a list that no module has: it may be a slip, or a list for several families. */
export function unmatched(modules: ReadonlyArray<ModuleInfo>, selector: Selector): ReadonlyArray<string> {
  if (typeof selector === "string" || typeof selector === "function") return []
  return selector.filter((name) => !modules.some(({ path }) => endsIn(path, name)))
}

function show(selector: Selector): string {
  return typeof selector === "function" ? "its rule" : JSON.stringify(selector)
}

/** Distinct last names with their kinds: `q_proj (Linear), ...`. */
function candidates(modules: ReadonlyArray<ModuleInfo>): string {
  const names = new Set<string>()
  for (const { path, kind } of modules) {
    const name = lastName(path)
    if (!/^\d+$/.test(name)) names.add(`${name} (${kind})`)
  }
  return [...names].join(", ")
}
