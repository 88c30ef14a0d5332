import type { BaseChanges } from "../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import { matcher, noModule, unmatched } from "../../core/model/sites/selector.ts"
import { hasIdlePooler } from "../peft_names/mod.ts"
import type { ResolvedOptions } from "./options.ts"
import { byPattern, isSaved, layerRule, pathIn, savedBy, targetRule, wantedRule } from "./targets.ts"

/** Throws PluginError where a name or pattern that must mean something means nothing, as the model's tree is. */
export function checkNames(options: ResolvedOptions, modules: ReadonlyArray<ModuleInfo>): void {
  const { id, origin, targetModules, modulesToSave } = options
  if (origin !== undefined) {
    // Files name heads of all families, and PEFT passes over names that no module has.
    const { layersToTransform: _, ...all } = options
    if (targetModules !== undefined && !modules.some(wantedRule(all))) throw noModule(modules, targetModules, id)
    return
  }
  const paths = new Set(modules.map(({ path }) => path))
  for (const name of modulesToSave) {
    const taken = takenBy(options, name, modules)
    if (taken.length === 0) throw noModule(modules, [name], id)
    if (taken.some((path) => paths.has(path))) continue
    throw pluginError(
      id,
      `modulesToSave ${JSON.stringify(name)} is a list of modules, which PEFT does not take; name ` +
        `what is in it, such as "${name}.0"`,
    )
  }
}

/** What a person should know of an adapter's options: names and patterns that mean nothing, or more than they say. */
export function optionNotes(
  options: ResolvedOptions,
  modules: ReadonlyArray<ModuleInfo>,
  { config, companions }: BaseChanges,
): ReadonlyArray<string> {
  const { id, origin, rankPattern, alphaPattern, loraAlpha } = options
  const targets = modules.filter(targetRule(options))
  const factors = [loraAlpha, ...Object.values(alphaPattern)]
  return [
    ...(origin?.notes ?? []),
    ...(hasIdlePooler(origin?.parts ?? [], modules[0]?.backbone)
      ? [`${id}: its files adapt a pooler, which the model has none of for this task: that part counts for nothing`]
      : []),
    ...(factors.includes(0) ? [`${id}: loraAlpha is 0 for some or all modules: their updates change nothing`] : []),
    ...targetNotes(options, modules),
    ...savedNotes(options, modules),
    ...layerNotes(options, modules),
    ...(["rankPattern", "alphaPattern"] as const).flatMap((option) => {
      const counting = new Set(targets.map((module) => byPattern(options, option, pathIn(options, module))?.[0]))
      const idle = Object.keys(option === "rankPattern" ? rankPattern : alphaPattern).filter((key) =>
        !counting.has(key)
      )
      return idle.map((key) => `${id}: ${option} ${JSON.stringify(key)} counts for no module that is adapted`)
    }),
    ...(config.vocab_size === undefined ? [] : [
      `${id}: its files hold embeddings of ${config.vocab_size} tokens, and the model's vocabulary is changed to that; ` +
      (companions === undefined
        ? "no tokenizer lies beside them, so the base model's is taken"
        : `the tokenizer is taken from "${companions}", where it was saved with them`),
    ]),
    ...(config.tie_word_embeddings === false
      ? [`${id}: the embedding and the head, which the base ties, are weights of their own, as PEFT trained them`]
      : []),
  ]
}

function targetNotes(options: ResolvedOptions, modules: ReadonlyArray<ModuleInfo>): ReadonlyArray<string> {
  const { id, origin, targetModules, excludeModules } = options
  const idle = origin === undefined || targetModules === undefined ? [] : unmatched(modules, targetModules)
  const wanted = modules.filter(wantedRule(options))
  const pathOf = (module: ModuleInfo) => pathIn(options, module)
  const parts = excludeModules === undefined
    ? []
    : typeof excludeModules === "string"
    ? [excludeModules]
    : excludeModules
  const idlers = parts.filter((part) =>
    !wanted.some(matcher(typeof excludeModules === "string" ? part : [part], id, pathOf))
  )
  return [
    ...(idle.length === 0 ? [] : [`${id}: no module is named ${idle.join(" or ")}; the other names count`]),
    ...idlers.map((part) =>
      `${id}: excludeModules ${JSON.stringify(part)} leaves out no module that targetModules names`
    ),
  ]
}

/** Names that the end of other names is taken by, and names that nothing has. */
function savedNotes(options: ResolvedOptions, modules: ReadonlyArray<ModuleInfo>): ReadonlyArray<string> {
  const { id, modulesToSave } = options
  return modulesToSave.flatMap((name) => {
    const taken = takenBy(options, name, modules)
    if (taken.length === 0) return [`${id}: no module's path ends in ${JSON.stringify(name)} of modulesToSave`]
    const last = new Set(taken.map((path) => path.slice(path.lastIndexOf(".") + 1)))
    const whole = name.slice(name.lastIndexOf(".") + 1)
    if ([...last].every((own) => own === whole)) return []
    return [
      `${id}: modulesToSave ${JSON.stringify(name)} takes all that end so, as PEFT reads it: ${[...last].join(", ")}`,
    ]
  })
}

/** Paths that a name of `modulesToSave` takes, of modules that have parameters or parts with some. */
function takenBy(options: ResolvedOptions, name: string, modules: ReadonlyArray<ModuleInfo>): ReadonlyArray<string> {
  const own = { ...options, modulesToSave: [name] }
  return [...new Set(modules.filter((module) => isSaved(own, module)).flatMap((module) => savedBy(own, module)))]
}

function layerNotes(options: ResolvedOptions, modules: ReadonlyArray<ModuleInfo>): ReadonlyArray<string> {
  const { id, layersToTransform, layersPattern } = options
  if (layersToTransform === undefined) return []
  const { layersToTransform: _, ...all } = options
  const paths = modules.filter(wantedRule(all)).map((module) => pathIn(options, module))
  const layerOf = layerRule(options)
  const layers = new Set(paths.map(layerOf))
  const idle = layersToTransform.filter((layer) => !layers.has(layer))
  const patterns = layersPattern.filter((pattern) => {
    const ofOne = layerRule({ ...options, layersPattern: [pattern] })
    return !paths.some((path) => ofOne(path) !== undefined)
  })
  return [
    ...(idle.length === 0 ? [] : [`${id}: layersToTransform ${idle.join(", ")}: no module that is named lies there`]),
    ...patterns.map((pattern) => `${id}: layersPattern ${JSON.stringify(pattern)} matches no module that is named`),
  ]
}
