import * as Effect from "effect/Effect"
import type { ArtifactContext, ArtifactFiles, Contribution, NamedValues } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import {
  adapterFile,
  CONFIG_FILE,
  decodeLoraConfig,
  decodeWeights,
  encodeLoraConfig,
  encodeWeights,
  HEADS,
  PeftError,
  type PeftLoraConfig,
  peftTaskType,
  WEIGHTS_FILE,
} from "../peft_format/mod.ts"
import { doubled, doubledParameters, joined, split } from "./double_rank.ts"
import { INITIAL_A, INITIAL_B } from "./low_rank.ts"
import { asInFiles } from "./own_modules.ts"
import { type LoraInitialization, type ResolvedOptions, startsFromBase } from "./options.ts"
import { sitesOf } from "./sites.ts"
import { isSaved, targetNames, targetRule } from "./targets.ts"

/** What an adapter adds. */
export function contributionOf(options: ResolvedOptions, initial?: ArtifactFiles): Contribution {
  const { id, bias } = options
  const isTarget = targetRule(options)
  return {
    id,
    sites: sitesOf(options),
    trains: (module, parameter) =>
      (isSaved(options, module) && !options.ownModules) ||
      (parameter === "bias" && (bias === "all" || (bias === "lora_only" && isTarget(module)))),
    ...(options.useDora || options.ownModules || startsFromBase(options)
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
      save: (values, context) => attempt(() => save(options, values, context)),
      load: (files, wanted) => attempt(() => load(options, files, wanted)),
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
): ArtifactFiles {
  const named = ownValues.map(({ parameter, data }) => ({ parameter: asInFiles(own, parameter), data }))
  const [options, values] = startsFromBase(own) ? [doubled(own), joined(named)] : [own, named]
  const { name, r, loraAlpha, loraDropout, excludeModules, bias, useRslora, rankPattern, alphaPattern } = options
  const { layersToTransform, layersPattern, initLoraWeights, useDora } = options
  const taskType = peftTaskType(context.task)
  const classifies = taskType === "SEQ_CLS" || taskType === "TOKEN_CLS"
  const config: PeftLoraConfig = {
    ...(taskType === undefined ? {} : { taskType }),
    baseModel: context.baseModel,
    r,
    loraAlpha,
    loraDropout,
    targetModules: targetNames(options, context.modules),
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
  return {
    [adapterFile(name, CONFIG_FILE)]: new TextEncoder().encode(encodeLoraConfig(config)),
    [adapterFile(name, WEIGHTS_FILE)]: encodeWeights(values),
  }
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
  const found = decodeWeights(files[weightsFile], inFile.map((parameter) => asInFiles(own, parameter)), weightsFile)
  const values = found.map(({ data }, i) => ({ parameter: inFile[i], data }))
  return plain ? split(values, wanted) : values
}

/** What an adapter's numbers count from: the base weight, or that less a part. */
function baseOf(init: LoraInitialization): string {
  return typeof init === "boolean" || init === "gaussian" ? "" : init
}
