import * as Effect from "effect/Effect"
import type {
  ArtifactContext,
  ArtifactFiles,
  BaseChanges,
  Contribution,
  NamedValues,
} from "../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import {
  adapterFile,
  CONFIG_FILE,
  decodeLoraConfig,
  decodeWeights,
  encodeLoraConfig,
  encodeWeights,
  HEADS,
  isBare,
  isHead,
  PeftError,
  type PeftLoraConfig,
  peftTaskType,
  PREFIX,
  WEIGHTS_FILE,
} from "../peft_format/mod.ts"
import { baseChanges, NO_CHANGES } from "./base_changes.ts"
import { doubled, doubledParameters, joined, split } from "./combine/double_rank.ts"
import { INITIAL_A, INITIAL_B } from "./low_rank.ts"
import { asInFiles } from "./own_modules.ts"
import { type LoraInitialization, type ResolvedOptions, startsFromBase } from "./options.ts"
import { checkNames, optionNotes } from "./option_notes.ts"
import { sitesOf } from "./sites.ts"
import { isSaved, rankAndScale, savedBy, targetNames, targetRule } from "./targets.ts"

/** The base model as it was loaded: what these files bring of it, and which of its weights are tied. */
interface SeenBase {
  readonly changes: BaseChanges
  readonly tied: Readonly<Record<string, string>>
}

/** What an adapter adds. */
export function contributionOf(options: ResolvedOptions, initial?: ArtifactFiles): Contribution {
  const { id, bias } = options
  const isTarget = targetRule(options)
  let seen: SeenBase = { changes: NO_CHANGES, tied: {} }
  return {
    id,
    sites: sitesOf(options),
    base: (modules, tied) => {
      checkNames(options, modules)
      seen = { changes: initial === undefined ? NO_CHANGES : baseChanges(options, initial, modules, tied), tied }
      return seen.changes
    },
    notes: (modules) => optionNotes(options, modules, seen.changes),
    trains: (module, parameter) =>
      (isSaved(options, module) && !options.ownModules) ||
      (parameter === "bias" && (bias === "all" || (bias === "lora_only" && isTarget(module)))),
    ...(options.useDora || options.ownModules || options.initLoraWeights === "orthogonal" || startsFromBase(options)
      ? {
        initialize: (own, base) =>
          Effect.flatMap(
            Effect.promise(() => import("./start.ts")),
            ({ startFromBase }) => startFromBase(options, own, base),
          ),
      }
      : {}),
    artifacts: {
      ...(initial === undefined ? {} : { initial }),
      save: (values, context) => attempt(() => save(options, values, context, seen.changes)),
      load: (files, wanted, context) => attempt(() => load(options, files, wanted, context, seen)),
    },
  }
}

function attempt<A>(run: () => A): Effect.Effect<A, PeftError> {
  return Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return error instanceof PeftError ? Effect.fail(error) : Effect.die(error)
    }
  })
}

/** The adapter's files, in PEFT's format; one that starts from the base weight as a plain one of twice the rank. */
function save(
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
  const { name, r, loraAlpha, loraDropout, excludeModules, bias, useRslora, rankPattern, alphaPattern } = options
  const { layersToTransform, layersPattern, initLoraWeights, useDora } = options
  // Where a head stays as the base has it, the files must not say that they hold it.
  const trained = new Set(values.flatMap(({ parameter: { owner, module } }) => owner === "base" ? [module] : []))
  const heads = modules.filter(isHead)
  const left = plain.origin !== undefined && heads.length > 0 && !heads.some(({ path }) => trained.has(path))
  const asItCame = bare !== undefined || left
  const taskType = asItCame ? plain.origin?.taskType : peftTaskType(context.head)
  const classifies = taskType === "SEQ_CLS" || taskType === "TOKEN_CLS"
  const config: PeftLoraConfig = {
    ...(taskType === undefined ? {} : { taskType }),
    baseModel: context.baseModel,
    r,
    loraAlpha,
    loraDropout,
    targetModules: targetNames(options, modules),
    bias,
    useRslora,
    modulesToSave: savedModules(options, values, context, classifies),
    rankPattern,
    alphaPattern,
    // What starts from the base weight is doubled here, and plain.
    initLoraWeights: initLoraWeights as PeftLoraConfig["initLoraWeights"],
    useDora,
    ...(excludeModules === undefined ? {} : { excludeModules }),
    ...(layersToTransform === undefined ? {} : { layersToTransform }),
    ...(layersPattern.length === 0 ? {} : { layersPattern }),
  }
  const all = [...values, ...heldOf(changes, values, modules)]
  return {
    [adapterFile(name, CONFIG_FILE)]: new TextEncoder().encode(encodeLoraConfig(config)),
    [adapterFile(name, WEIGHTS_FILE)]: encodeWeights(all, bare),
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
      const file = CONFIG_FILE
      const message = `${options.id}: PEFT's format cannot hold a part of "${module.path}" alone (${
        [...own].join(", ")
      })`
      throw new PeftError({ reason: "Unsupported", file, message })
    }
    names.add(module.path)
  }
  return [...names].sort()
}

/**
 * Values from an adapter's files, if they belong to these options. Where an adapter starts from the base weight, files
 * from here hold the start too; PEFT's own count from the base weight less what they name, which is made again.
 */
function load(
  own: ResolvedOptions,
  files: ArtifactFiles,
  wanted: ReadonlyArray<Parameter>,
  { modules }: ArtifactContext,
  seen: SeenBase,
): ReadonlyArray<NamedValues> {
  const [configFile, weightsFile] = [CONFIG_FILE, WEIGHTS_FILE].map((file) => adapterFile(own.name, file))
  for (const file of [configFile, weightsFile]) {
    if (files[file] !== undefined) continue
    throw new PeftError({ reason: "Weights", file, message: `${own.id}: there is no ${file}` })
  }
  const config = decodeLoraConfig(new TextDecoder().decode(files[configFile]), configFile)
  const plain = startsFromBase(own) && typeof config.initLoraWeights === "boolean"
  const options = plain ? doubled(own) : own
  // What the numbers count from; all else about a start is over when they are saved.
  const starts = [config.initLoraWeights, options.initLoraWeights].map(baseOf)
  if (starts[0] !== starts[1]) {
    const message = `${configFile}: init_lora_weights is ${JSON.stringify(config.initLoraWeights)}, the adapter ` +
      `${options.id} has ${JSON.stringify(own.initLoraWeights)}: their numbers count from different weights`
    throw new PeftError({ reason: "Mismatch", file: configFile, message })
  }
  // PEFT sorts the patterns when it writes them.
  const show = (value: unknown) =>
    JSON.stringify(typeof value === "object" ? Object.fromEntries(Object.entries(value!).sort()) : value)
  // Wrong ranks and targets show in the weights; what scales them does not.
  for (const field of ["r", "loraAlpha", "useRslora", "useDora", "rankPattern", "alphaPattern"] as const) {
    const [theirs, ours] = [show(config[field]), show(options[field])]
    if (theirs === ours) continue
    const message = `${configFile}: ${field} is ${theirs}, the adapter ${options.id} has ${ours}`
    throw new PeftError({ reason: "Mismatch", file: configFile, message })
  }
  const held = wanted.filter(({ name }) => name !== INITIAL_A && name !== INITIAL_B)
  const inFile = plain ? doubledParameters(held) : held
  const byName = new Map(inFile.map((parameter) => [asInFiles(own, parameter), parameter]))
  const found = decodeWeights(files[weightsFile], [...byName.keys()], weightsFile, {
    modules,
    baseModel: config.baseModel,
    passOver: passedOver(own, files, modules, seen),
  })
  const values = found.map(({ parameter, data }) => ({ parameter: byName.get(parameter)!, data }))
  return plain ? split(values, wanted) : values
}

/** Names of what the base has from these files already; what it does not have throws a {@link PeftError}. */
function passedOver(
  own: ResolvedOptions,
  files: ArtifactFiles,
  modules: ReadonlyArray<ModuleInfo>,
  { changes, tied }: SeenBase,
): ReadonlySet<string> {
  const held = new Map(changes.weights.map(({ key, data }) => [key, data]))
  const file = adapterFile(own.name, WEIGHTS_FILE)
  const aliases = Object.fromEntries(
    Object.entries(tied).filter(([key]) => changes.config.tie_word_embeddings !== false || !key.endsWith(".weight")),
  )
  for (const { key, data } of baseChanges(own, files, modules, aliases).weights) {
    if (held.get(key)?.every((value, i) => value === data[i])) continue
    const message =
      `${file}: it holds the base's "${key}" too, which the model must be loaded with (a vocabulary that ` +
      "grew); take the adapter with fromPeft, before the model is loaded"
    throw new PeftError({ reason: "Weights", file, message })
  }
  const others = Object.entries(aliases).filter(([, from]) => held.has(from)).map(([alias]) => alias)
  return new Set([...held.keys(), ...others].map((key) => PREFIX + key))
}

/** What an adapter's numbers count from: the base weight, or that less a part. */
function baseOf(init: LoraInitialization): string {
  return typeof init === "boolean" || init === "gaussian" ? "" : init
}
