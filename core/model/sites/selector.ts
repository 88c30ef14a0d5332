import type { ModuleInfo } from "../../contracts/module_info.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type { Selector } from "../../contracts/site.ts"
import { lastName } from "../module.ts"
import { PatternError, type PythonPattern, pythonPattern } from "./python_pattern.ts"

/** Whether a path is `name` or ends with it after a dot. */
export function endsIn(path: string, name: string): boolean {
  return path === name || path.endsWith(`.${name}`)
}

/**
 * Turns a selector into a test of one module. A string is a Python regular expression for the whole path, as in the
 * files that other programs read. Throws {@link PluginError} on an invalid expression.
 *
 * @param pathOf Name of a module in the selector. Default: its path.
 */
export function matcher(
  selector: Selector,
  plugin: string,
  pathOf: (module: ModuleInfo) => string = ({ path }) => path,
): (module: ModuleInfo) => boolean {
  if (typeof selector === "function") return selector
  if (isAllLinear(selector)) return (module) => module.kind === "Linear" && !module.outputHead
  if (typeof selector !== "string") return (module) => selector.some((name) => endsIn(pathOf(module), name))
  const { matches } = readPattern(selector, plugin)
  return (module) => matches(pathOf(module))
}

/** Whether a selector is `"all-linear"`, in any case. */
export function isAllLinear(selector: Selector): boolean {
  return typeof selector === "string" && selector.toLowerCase() === "all-linear"
}

/**
 * Reads a Python regular expression. Throws {@link PluginError} if it is invalid or JavaScript cannot express it.
 *
 * @param around What stands before and after it. Default: nothing, and it must take a whole text; else the start of one.
 */
export function readPattern(text: string, plugin: string, around?: readonly [string, string]): PythonPattern {
  try {
    const [before, after] = around ?? ["", ""]
    return pythonPattern(before + text + after, around === undefined ? "whole" : "start", before.length)
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    const message = `${plugin}: ${
      JSON.stringify(text)
    } is not a regular expression as Python reads it: ${error.message}`
    throw new PluginError({ plugin, message })
  }
}

/**
 * The selected modules, in the tree's order. Throws {@link PluginError} with the candidates if there are none, or if
 * `select` is not a regular expression.
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
  if (matching.length === 0) throw noModule(modules, wanted, plugin)
  const message = `${plugin}: all ${matching.length} modules that ${show(wanted)} matches are excluded by ${
    show(exclude!)
  }`
  throw new PluginError({ plugin, message })
}

/** The error for a selector without a match, with the candidates. */
export function noModule(modules: ReadonlyArray<ModuleInfo>, wanted: Selector, plugin: string): PluginError {
  const message = `${plugin}: no module matches ${show(wanted)}${asList(modules, wanted)}; the model has ${
    candidates(modules)
  }`
  return new PluginError({ plugin, message })
}

/** Names of a list that match no module: a typo, or a list for several families. */
export function unmatched(modules: ReadonlyArray<ModuleInfo>, selector: Selector): ReadonlyArray<string> {
  if (typeof selector === "string" || typeof selector === "function") return []
  return selector.filter((name) => !modules.some(({ path }) => endsIn(path, name)))
}

/** Hint if a string is a name instead of a pattern for the whole path, else empty. */
function asList(modules: ReadonlyArray<ModuleInfo>, wanted: Selector): string {
  if (typeof wanted !== "string" || unmatched(modules, [wanted]).length > 0) return ""
  return `, which as a text is a pattern for the whole path; a name stands in a list: [${JSON.stringify(wanted)}]`
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
