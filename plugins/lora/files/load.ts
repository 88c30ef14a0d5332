/**
 * Values from an adapter's files.
 * @module
 */
import type { ArtifactContext, ArtifactFiles, NamedValues } from "../../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import type { Parameter } from "../../../core/contracts/parameter.ts"
import { decodeLoraConfig, decodeWeights, type PeftLoraConfig } from "../../peft_format/mod.ts"
import { adapterFile, CONFIG_FILE, PeftError, peftError, PREFIX, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import { INITIAL_A, INITIAL_B } from "../low_rank.ts"
import { type LoraInitialization, type ResolvedOptions, startsFromBase } from "../options.ts"
import { asInFiles } from "../own_modules.ts"
import type { SeenBase } from "../saved.ts"
import type { VariantFields } from "../variant.ts"
import { baseChanges } from "./base_changes.ts"
import { doubled, doubledParameters, split } from "./double_rank.ts"

/**
 * Values from an adapter's files, if they belong to these options. Where an adapter starts from the base weight, files
 * from here hold the start too; PEFT's own count from the base weight less what they name, which is made again.
 */
export function load(
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
  const fields = own.variant?.fields() ?? {}
  const options = { ...(plain ? doubled(own) : own), ...fields }
  // What the numbers count from; all else about a start is over when they are saved.
  const starts = [config.initLoraWeights, options.initLoraWeights].map(baseOf)
  if (starts[0] !== starts[1]) {
    throw peftError(
      "Mismatch",
      configFile,
      `init_lora_weights is ${JSON.stringify(config.initLoraWeights)}, the adapter ` +
        `${options.id} has ${JSON.stringify(own.initLoraWeights)}: their numbers count from different weights`,
    )
  }
  // PEFT sorts the patterns when it writes them.
  const show = (value: unknown) =>
    JSON.stringify(typeof value === "object" ? Object.fromEntries(Object.entries(value!).sort()) : value)
  // Wrong ranks and targets show in the weights; what scales them does not.
  for (const field of ["r", "loraAlpha", "useRslora", "useDora", "rankPattern", "alphaPattern"] as const) {
    const [theirs, ours] = [show(config[field]), show(options[field])]
    if (theirs === ours) continue
    throw peftError("Mismatch", configFile, `${field} is ${theirs}, the adapter ${options.id} has ${ours}`)
  }
  checkVariant(own, fields, config, configFile)
  const held = wanted.filter(({ name }) => name !== INITIAL_A && name !== INITIAL_B)
  const inFile = plain ? doubledParameters(held) : held
  const byName = new Map(inFile.map((parameter) => [asInFiles(own, parameter), parameter]))
  const found = decodeWeights(files[weightsFile], [...byName.keys()], weightsFile, {
    modules,
    baseModel: config.baseModel,
    groupSize: fields.qaloraGroupSize ?? 1,
    passOver: passedOver(own, files, modules, seen),
  })
  const values = found.map(({ parameter, data }) => ({ parameter: byName.get(parameter)!, data }))
  return plain ? split(values, wanted) : values
}

/** Throws where a file is of another variant than the adapter, or does not say which. */
function checkVariant(
  { id, origin }: ResolvedOptions,
  { loftq, initLoraWeights, ...groups }: VariantFields,
  config: PeftLoraConfig,
  file: string,
): void {
  const differs = (field: string, theirs: unknown, ours: unknown) =>
    peftError("Mismatch", file, `${field} is ${theirs ?? "not in it"}, the adapter ${id} has ${ours}`)
  for (const [field, ours] of Object.entries(groups)) {
    const theirs = config[field as keyof VariantFields]
    // What a file does not say was asked of the person who loaded it.
    if (theirs !== ours && (theirs !== undefined || origin === undefined)) throw differs(field, theirs, ours)
  }
  // Before the base is loaded its weights are not known; they are compared when it is.
  if (initLoraWeights === undefined || loftq?.sha256 === undefined || config.loftq?.sha256 === loftq.sha256) return
  throw differs("sha256 of loftq_base", config.loftq?.sha256, loftq.sha256)
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
    throw peftError(
      "Weights",
      file,
      `it holds the base's "${key}" too, which the model must be loaded with (a vocabulary that ` +
        "grew); take the adapter with fromPeft, before the model is loaded",
    )
  }
  const others = Object.entries(aliases).filter(([, from]) => held.has(from)).map(([alias]) => alias)
  return new Set([...held.keys(), ...others].map((key) => PREFIX + key))
}

/** What an adapter's numbers count from: the base weight, or that less a part. */
function baseOf(init: LoraInitialization | "loftq"): string {
  return typeof init === "boolean" || init === "gaussian" ? "" : init
}
