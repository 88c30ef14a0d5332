/**
 * Which modules an adapter takes, by PEFT's rules (0.21.2): `check_target_module_exists`, `get_pattern_key` and
 * `_set_trainable` there.
 * @module
 */
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { PythonPattern } from "../../core/model/sites/python_pattern.ts"
import { endsIn, isAllLinear, matcher, readPattern } from "../../core/model/sites/selector.ts"
import { adapterPath, isHead } from "../peft_names/mod.ts"
import { AT_END, OF_LAYERS, type ResolvedOptions, WITHIN } from "./options.ts"

/** What names a module. */
export type Named = Pick<ModuleInfo, "path" | "backbone">

/** A module's path as the adapter's options and files name it; empty for a module that they do not know. */
export function pathIn({ origin }: Pick<ResolvedOptions, "origin">, module: Named): string {
  return adapterPath(origin?.parts, module) ?? ""
}

/** Whether a module trains whole: its path, or that of one that it is part of, ends in a name. */
export function isSaved(options: ResolvedOptions, module: ModuleInfo): boolean {
  const { modulesToSave } = options
  return trainsHead(options, module) || (modulesToSave.length > 0 && savedBy(options, module).length > 0)
}

/**
 * Whether a module is a head that trains whole: every one, but of an adapter from files only where they hold it, or should
 * by their task: PEFT leaves heads alone where its config names no task.
 */
function trainsHead({ origin }: ResolvedOptions, module: ModuleInfo): boolean {
  if (!isHead(module) || origin === undefined) return isHead(module)
  return origin.taskType === "SEQ_CLS" || origin.taskType === "TOKEN_CLS" || origin.whole.includes(module.path)
}

/** Paths of the modules that are named, from the whole model to a module. */
export function savedBy(options: ResolvedOptions, module: Named): ReadonlyArray<string> {
  const parts = pathIn(options, module).split(".")
  return parts.map((_, i) => parts.slice(0, i + 1).join("."))
    .filter((path) => options.modulesToSave.some((name) => path.endsWith(name)))
}

/** The rule for which modules are adapted; heads that train never are, nor what is named to train whole. */
export function targetRule(options: ResolvedOptions): (module: ModuleInfo) => boolean {
  const { id, excludeModules, modulesToSave } = options
  const pathOf = (module: Named) => pathIn(options, module)
  const wanted = wantedRule(options)
  const left = excludeModules === undefined ? () => false : matcher(excludeModules, id, pathOf)
  const saved = modulesToSave.map((name) => readPattern(name, id, WITHIN))
  return (module) =>
    wanted(module) && !left(module) && !trainsHead(options, module) &&
    !saved.some(({ matches }) => matches(pathOf(module)))
}

/** The rule for which modules are named: without those that are left out. Throws PluginError on a wrong pattern. */
export function wantedRule(options: ResolvedOptions): (module: ModuleInfo) => boolean {
  const { id, targetModules } = options
  const pathOf = (module: Named) => pathIn(options, module)
  const wanted = targetModules === undefined
    ? (module: ModuleInfo) => module.defaultTarget
    : matcher(targetModules, id, pathOf)
  const isWhole = (path: string) => Array.isArray(targetModules) && targetModules.includes(path)
  const inLayers = layersRule(options)
  // A whole path is taken in any layer.
  return (module) => pathOf(module) !== "" && wanted(module) && (isWhole(pathOf(module)) || inLayers(pathOf(module)))
}

/** Number of the layer that a path lies in; undefined for none. */
export function layerRule({ id, layersPattern }: ResolvedOptions): (path: string) => number | undefined {
  const places = layersPattern.map((pattern) => readPattern(pattern, id, OF_LAYERS))
  return (path) => {
    const found = places.length === 0
      ? /^.*?\.[^.]*\.(\d+)\./.exec(path)?.[1]
      : places.find(({ matches }) => matches(path))?.named(path, "idx")
    return found === undefined ? undefined : Number(found)
  }
}

function layersRule(options: ResolvedOptions): (path: string) => boolean {
  const { layersToTransform } = options
  if (layersToTransform === undefined) return () => true
  const layerOf = layerRule(options)
  return (path) => {
    const layer = layerOf(path)
    return layer !== undefined && layersToTransform.includes(layer)
  }
}

/** Options that give ranks and scales; a PEFT config has them too. */
export type RankOptions =
  & Pick<ResolvedOptions, "r" | "loraAlpha" | "useRslora" | "rankPattern" | "alphaPattern">
  & Partial<Pick<ResolvedOptions, "id" | "origin">>

/** Rank of the update at a module, and its factor: `loraAlpha / r`, or `loraAlpha / sqrt(r)`. */
export function rankAndScale(options: RankOptions, module: Named): { readonly r: number; readonly scale: number } {
  const path = pathIn(options, module)
  const r = byPattern(options, "rankPattern", path)?.[1] ?? options.r
  const alpha = byPattern(options, "alphaPattern", path)?.[1] ?? options.loraAlpha
  return { r, scale: alpha / (options.useRslora ? Math.sqrt(r) : r) }
}

const patterns = new Map<string, PythonPattern>()

/** The pattern that counts at a path, with its value: the first that matches. */
export function byPattern(
  options: RankOptions,
  option: "rankPattern" | "alphaPattern",
  path: string,
): readonly [string, number] | undefined {
  return Object.entries(options[option]).find(([key]) => {
    const pattern = patterns.get(key) ?? readPattern(key, options.id ?? "lora", AT_END)
    patterns.set(key, pattern)
    return pattern.matches(path)
  })
}

/**
 * The targets as PEFT's config names them: the text or list that was given; else names, or whole paths where names
 * would also match a module that is not a target.
 */
export function targetNames(
  options: ResolvedOptions,
  modules: ReadonlyArray<ModuleInfo>,
): string | ReadonlyArray<string> {
  const { targetModules } = options
  if (targetModules !== undefined && !isAllLinear(targetModules)) return targetModules
  if (targetModules === undefined) {
    return distinct(modules.filter(({ defaultTarget }) => defaultTarget).map(({ path }) => lastOf(path)))
  }
  const targets = modules.filter(targetRule(options)).map(({ path }) => path)
  const names = distinct(targets.map(lastOf))
  const matched = modules.filter(({ path }) => names.some((name) => endsIn(path, name)))
  return matched.length === targets.length ? names : targets
}

const lastOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1)
const distinct = (names: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(names)].sort()
