/**
 * An adapter's files, in PEFT's format.
 * @module
 */
import type { ArtifactContext, ArtifactFiles, BaseChanges, NamedValues } from "../../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import { encodeLoraConfig, encodeWeights, type PeftLoraConfig } from "../../peft_format/mod.ts"
import {
  adapterFile,
  CONFIG_FILE,
  HEADS,
  isBare,
  isHead,
  PeftError,
  peftTaskType,
  WEIGHTS_FILE,
} from "../../peft_names/mod.ts"
import { type ResolvedOptions, startsFromBase } from "../options.ts"
import { asInFiles } from "../own_modules.ts"
import { isSaved, rankAndScale, savedBy, targetNames, targetRule } from "../targets.ts"
import { doubled, joined } from "./double_rank.ts"

/** The adapter's files; one that starts from the base weight becomes a plain one of twice the rank. */
export function save(
  own: ResolvedOptions,
  ownValues: ReadonlyArray<NamedValues>,
  context: ArtifactContext,
  changes: BaseChanges,
): ArtifactFiles {
  const named = ownValues.map(({ parameter, data }) => ({ parameter: asInFiles(own, parameter), data }))
  const [plain, values] = startsFromBase(own) ? [doubled(own), joined(named)] : [own, named]
  const { modules } = context
  const bare = bareNames(plain, values, modules)
  const options = bare === undefined && isBareHere(plain, modules) ? spelledOut(plain, modules) : plain
  // Where a head stays as the base has it, the files must not say that they hold it.
  const trained = new Set(values.flatMap(({ parameter: { owner, module } }) => owner === "base" ? [module] : []))
  const heads = modules.filter(isHead)
  const left = plain.origin !== undefined && heads.length > 0 && !heads.some(({ path }) => trained.has(path))
  const asItCame = bare !== undefined || left
  const taskType = asItCame ? plain.origin?.taskType : peftTaskType(context.head)
  const classifies = taskType === "SEQ_CLS" || taskType === "TOKEN_CLS"
  const config: PeftLoraConfig = {
    ...options,
    ...(taskType === undefined ? {} : { taskType }),
    baseModel: context.baseModel,
    targetModules: targetNames(options, modules),
    modulesToSave: savedModules(options, values, context, classifies),
    // What starts from the base weight is doubled here, and plain.
    initLoraWeights: options.initLoraWeights as PeftLoraConfig["initLoraWeights"],
    ...options.variant?.fields(),
  }
  const transposed = modules.filter(targetRule(options)).some(({ transposed }) => transposed)
  const all = [...values, ...heldOf(changes, values, modules)]
  return {
    [adapterFile(options.name, CONFIG_FILE)]: new TextEncoder().encode(encodeLoraConfig(config, transposed)),
    [adapterFile(options.name, WEIGHTS_FILE)]: encodeWeights(all, bare),
  }
}

/** Options that mean the same module by module, for others than those whose patterns are for other paths. */
function spelledOut(options: ResolvedOptions, modules: ReadonlyArray<ModuleInfo>): ResolvedOptions {
  const { r, loraAlpha, useRslora } = options
  const targets = modules.filter(targetRule(options))
  const patterns = (usual: number, valueAt: (module: ModuleInfo) => number) =>
    Object.fromEntries(targets.flatMap((module) => {
      const value = valueAt(module)
      return value === usual ? [] : [[`^${module.path.replaceAll(".", "\\.")}`, value]]
    }))
  const { origin: _, excludeModules: __, layersToTransform: ___, ...rest } = options
  return {
    ...rest,
    layersPattern: [],
    targetModules: targets.map(({ path }) => path),
    modulesToSave: modules.filter((module) =>
      savedBy(options, module).length > 0 && Object.keys(module.parameters).length > 0
    )
      .map(({ path }) => path),
    rankPattern: patterns(r, (module) => rankAndScale(options, module).r),
    alphaPattern: patterns(loraAlpha, (module) => {
      const { r, scale } = rankAndScale(options, module)
      return scale * (useRslora ? Math.sqrt(r) : r)
    }),
  }
}

/** Whether the adapter came from files that name modules without the backbone. */
function isBareHere({ origin }: ResolvedOptions, modules: ReadonlyArray<ModuleInfo>): boolean {
  const backbone = modules.find(({ backbone }) => backbone !== undefined)?.backbone
  return origin !== undefined && backbone !== undefined && isBare(origin.parts, backbone)
}

/** The backbone's path, where names are written without it: as they came, if all lies within it. */
function bareNames(
  options: ResolvedOptions,
  values: ReadonlyArray<NamedValues>,
  modules: ReadonlyArray<ModuleInfo>,
): string | undefined {
  if (!isBareHere(options, modules)) return undefined
  const path = modules.find(({ backbone }) => backbone !== undefined)?.backbone?.path
  return values.every(({ parameter: { module } }) => module.startsWith(`${path}.`)) ? path : undefined
}

/** What the base has from the files that the adapter came from, and that does not train: saved again with it. */
function heldOf(
  { weights }: BaseChanges,
  values: ReadonlyArray<NamedValues>,
  modules: ReadonlyArray<ModuleInfo>,
): ReadonlyArray<NamedValues> {
  const trained = new Set(values.map(({ parameter }) => parameter.key))
  return weights.filter(({ key }) => !trained.has(key)).map(({ key, shape, data }) => {
    const module = modules.find(({ path }) => key.startsWith(`${path}.`) && !key.slice(path.length + 1).includes("."))
    const path = module?.path ?? ""
    const name = key.slice(path.length + 1)
    return { parameter: { owner: "base", module: path, name, key, shape, initializer: { kind: "values", data } }, data }
  })
}

/** Names of what trains whole; base parameters that other plugins train must be covered too, or PEFT loses them. */
function savedModules(
  options: ResolvedOptions,
  values: ReadonlyArray<NamedValues>,
  context: ArtifactContext,
  classifies: boolean,
): ReadonlyArray<string> {
  const names = new Set([...options.modulesToSave, ...(classifies ? HEADS : [])])
  const isTarget = targetRule(options)
  const { bias } = options
  const trained = new Map<string, Set<string>>()
  for (const { parameter: { owner, module, name } } of values) {
    if (owner === "base") trained.set(module, (trained.get(module) ?? new Set()).add(name))
  }
  for (const module of context.modules) {
    const own = trained.get(module.path)
    if (own === undefined || isSaved(options, module)) continue
    const byBias = bias === "all" || (bias === "lora_only" && isTarget(module))
    if (byBias && own.size === 1 && own.has("bias")) continue
    if (own.size < Object.keys(module.parameters).length || isTarget(module)) {
      const part = `a part of "${module.path}" alone (${[...own].join(", ")})`
      const message = `${options.id}: PEFT's format cannot hold ${part}`
      throw new PeftError({ reason: "Unsupported", file: CONFIG_FILE, message })
    }
    names.add(module.path)
  }
  return [...names].sort()
}
