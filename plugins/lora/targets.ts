import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import { endsIn, matcher } from "../../core/model/selector.ts"
import { isHead } from "../peft_format/mod.ts"
import type { ResolvedOptions } from "./options.ts"

/** Whether a module trains whole: it, or one that it is part of, is named. */
export function isSaved({ modulesToSave }: ResolvedOptions, module: ModuleInfo): boolean {
  const { path } = module
  return isHead(module) || modulesToSave.some((name) => endsIn(path, name) || `.${path}`.includes(`.${name}.`))
}

/** The rule for which modules are adapted; those that train whole never are. Throws PluginError on a wrong pattern. */
export function targetRule(options: ResolvedOptions): (module: ModuleInfo) => boolean {
  const { id, targetModules, excludeModules, layersToTransform, layersPattern } = options
  const wanted = targetModules === undefined ? (module: ModuleInfo) => module.defaultTarget : matcher(targetModules, id)
  const left = excludeModules === undefined ? () => false : matcher(excludeModules, id)
  const places = layersPattern.length === 0
    ? [/^.*?\.[^.]*\.(\d+)\./]
    : layersPattern.map((pattern) => new RegExp(`^(?:.*?\\.)?(?:${pattern})\\.(\\d+)\\.`))
  const inLayers = (path: string): boolean => {
    if (layersToTransform === undefined) return true
    const found = places.map((place) => place.exec(path)).find((match) => match !== null)
    return found !== undefined && layersToTransform.includes(Number(found[1]))
  }
  return (module) => wanted(module) && !left(module) && !isSaved(options, module) && inLayers(module.path)
}

/** Options that give ranks and scales; a PEFT config has them too. */
export type RankOptions = Pick<ResolvedOptions, "r" | "loraAlpha" | "useRslora" | "rankPattern" | "alphaPattern">

/** Rank and scale at a module. */
export function rankAndScale(options: RankOptions, path: string): { readonly r: number; readonly scale: number } {
  const r = byPattern(options.rankPattern, path) ?? options.r
  const alpha = byPattern(options.alphaPattern, path) ?? options.loraAlpha
  return { r, scale: alpha / (options.useRslora ? Math.sqrt(r) : r) }
}

function byPattern(patterns: Readonly<Record<string, number>>, path: string): number | undefined {
  return Object.entries(patterns).find(([pattern]) => new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(path))?.[1]
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
  if (targetModules !== undefined && targetModules !== "all-linear") return targetModules
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
