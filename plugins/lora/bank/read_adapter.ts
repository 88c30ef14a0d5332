/**
 * An adapter's files as values of a bank's parameters.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { AdapterError } from "../../../core/contracts/bank/adapter_error.ts"
import type { AdapterFiles, BankContext, BankValues } from "../../../core/contracts/bank/bank_method.ts"
import type { ArtifactFiles, NamedValues } from "../../../core/contracts/contribution.ts"
import type { Parameter } from "../../../core/contracts/parameter.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { StorageError } from "../../../core/formats/files/storage_error.ts"
import { resolveSites } from "../../../core/model/sites/sites.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import { decodeWeights, openAdapterWeights } from "../../peft_format/mod.ts"
import { baseName, CONFIG_FILE, PeftError, PREFIX, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import { contributionOf } from "../contribution.ts"
import { readSaved, type SavedFiles, savedIn } from "../files/mod.ts"
import { A, B } from "../low_rank.ts"
import { type ResolvedOptions, resolveOptions, startsFromBase } from "../options.ts"
import { rankAndScale } from "../targets.ts"

interface Asked {
  readonly name: string
  readonly files: AdapterFiles
  readonly wanted: ReadonlyArray<Parameter>
  readonly model: BankContext
  readonly rank: number
  readonly base: ReadonlyArray<string> | undefined
}

/** Reads an adapter for a bank. */
export function readForBank(asked: Asked): Effect.Effect<BankValues, AdapterError, FileSystem.FileSystem> {
  const { name, files } = asked
  const read = typeof files === "string"
    ? readSaved(files, "default", true)
    : Effect.try({ try: () => savedIn(complete(name, files), named(name)), catch: (error) => error as PeftError })
  return read.pipe(
    Effect.flatMap((saved) =>
      Effect.try({
        try: () => valuesOf(asked, saved),
        catch: (error) => error as PeftError | AdapterError | PluginError,
      })
    ),
    Effect.catch((error: PeftError | AdapterError | PluginError | StorageError) =>
      error instanceof AdapterError
        ? Effect.fail(error)
        : Effect.fail(fault(name, reasonOf(error), error.message, error))
    ),
  )
}

const named = (name: string) => ({ directory: name, name: "default", plain: true })

function complete(name: string, files: ArtifactFiles): ArtifactFiles {
  const missing = [CONFIG_FILE, WEIGHTS_FILE].find((file) => !(files[file] instanceof Uint8Array))
  if (missing === undefined) return files
  throw fault(
    name,
    "Files",
    `its files lack the bytes of ${missing}; there are ${Object.keys(files).join(", ") || "none"}`,
  )
}

function fault(adapter: string, reason: AdapterError["reason"], what: string, cause?: unknown): AdapterError {
  return new AdapterError({ reason, adapter, message: `adapter "${adapter}": ${what}`, cause })
}

/** What stands behind an error of the files. Anything else than these is a defect. */
function reasonOf(error: PeftError | PluginError | StorageError): AdapterError["reason"] {
  if (error instanceof StorageError) return "Files"
  if (error instanceof PluginError) return "Base"
  if (!(error instanceof PeftError)) throw error
  return ({ Config: "Files", Unsupported: "Unsupported", Mismatch: "Base", Weights: "Base" } as const)[error.reason]
}

/** Values of the bank's parameters, of its shapes. Throws. */
function valuesOf(asked: Asked, { options, origin, saved, baseModel }: SavedFiles): BankValues {
  const { name, wanted, model } = asked
  const resolved = resolveOptions(options, origin)
  checkBase(asked, baseModel)
  checkOptions(name, resolved)
  const changes = saved.changes(resolved, model.modules, model.tied)
  if (changes.weights.length > 0 || Object.keys(changes.config).length > 0) {
    throw fault(
      name,
      "Unsupported",
      "it holds embeddings of its own (a vocabulary that grew, or embeddings that train)",
    )
  }
  const contribution = contributionOf(resolved, saved)
  const own = resolveSites(model.modules, [{ id: resolved.id, sites: contribution.sites ?? [] }]).parameters
  checkFits(asked, own)
  const bytes = saved.files[WEIGHTS_FILE]
  const stored = openAdapterWeights(bytes, WEIGHTS_FILE, model.modules).shapes
  const infos = new Map(model.modules.map((module) => [module.path, module]))
  const isPart = ({ name }: Parameter) => name === A || name === B
  const whole = wanted.filter((parameter) => !isPart(parameter)).flatMap((parameter) => {
    const { module, name: part, shape } = parameter
    const found = stored.get(`${PREFIX}${module}.${part}`)
    if (found === undefined && !contribution.trains?.(infos.get(module)!, part, model.modules)) return []
    return [{ ...parameter, owner: "base", key: `${module}.${part}`, shape: ownClasses(asked, module, shape, found) }]
  })
  const target = new Map(wanted.map((parameter) => [`${parameter.module}.${parameter.name}`, parameter]))
  const values = decodeWeights(bytes, [...own, ...whole], WEIGHTS_FILE, { modules: model.modules, baseModel })
  const classes = whole.find(({ module, name }) => name === "weight" && isLast(model, module))?.shape[0]
  return {
    values: values.map((value) => {
      const { module, name } = value.parameter
      const scale = name === A ? rankAndScale(resolved, infos.get(module)!).scale : 1
      return fitted(value, target.get(`${module}.${name}`)!, scale)
    }),
    ...(classes === undefined ? {} : { classes }),
  }
}

/** Whether a module gives the numbers of the model's head. */
function isLast({ head, modules }: BankContext, path: string): boolean {
  const module = modules.find((module) => module.path === path)!
  return head.kind !== "vocabulary" && module.outputHead && module.sizes.outFeatures === head.size
}

/** The shape of a head's parameter in the files: with fewer classes than the model's head, or as that has it. */
function ownClasses(
  { name, model }: Asked,
  path: string,
  shape: ReadonlyArray<number>,
  found: ReadonlyArray<number> | undefined,
): ReadonlyArray<number> {
  if (found === undefined || !isLast(model, path) || `${found.slice(1)}` !== `${shape.slice(1)}`) return shape
  if (found[0] <= shape[0]) return found
  throw fault(
    name,
    "Size",
    `its head has ${found[0]} classes, the model's has ${
      shape[0]
    }: load the model for as many labels as the largest head`,
  )
}

function checkBase({ name, model, base }: Asked, given: string): void {
  const own = baseName(model.baseModel).name
  const allowed = base ?? (own !== null && own !== model.baseModel ? [own] : undefined)
  // Another folder's name says nothing.
  const isName = base !== undefined || /^[^./\\][^/\\]*\/[^/\\]+$/.test(given)
  if (given === "" || allowed === undefined || !isName || allowed.includes(given)) return
  throw fault(
    name,
    "Base",
    `its base_model_name_or_path is "${given}", the model's name is ${
      allowed.map((one) => `"${one}"`).join(" or ")
    }; ` +
      "if they are the same model, name it in the bank's option base",
  )
}

/** Throws on options that change what an adapter does beyond a scaled product. */
function checkOptions(name: string, options: ResolvedOptions): void {
  const { useDora, bias, initLoraWeights } = options
  const refused = useDora
    ? "use_dora is on: DoRA rescales whole rows of the weight"
    : bias !== "none"
    ? `bias is "${bias}": it trains biases of the model`
    : startsFromBase(options)
    ? `init_lora_weights is "${initLoraWeights}": it counts from another base weight; save it converted ` +
      "(path_initial_model_for_weight_conversion)"
    : undefined
  if (refused === undefined) return
  throw fault(name, "Unsupported", `${refused}, which a bank cannot do for each row; load it with Lora.fromPeft`)
}

/** Throws where an adapter changes what the bank has no room for. */
function checkFits({ name, wanted, rank }: Asked, own: ReadonlyArray<Parameter>): void {
  const there = new Set(wanted.map(({ module, name }) => `${module}.${name}`))
  const lacking = [...new Set(own.filter((one) => !there.has(`${one.module}.${one.name}`)).map(({ module }) => module))]
  if (lacking.length > 0) {
    const more = lacking.length > 3 ? ` and ${lacking.length - 3} more` : ""
    const kept = [...new Set(wanted.filter((one) => one.name === A).map(({ module }) => module.replace(/^.*\./, "")))]
    throw fault(
      name,
      "Targets",
      `it adapts ${lacking.slice(0, 3).join(", ")}${more}; the bank has room for ${
        kept.join(", ")
      }: open it with more ` +
        "targets (Linear modules)",
    )
  }
  const large = own.find((one) => one.name === A && one.shape[0] > rank)
  if (large === undefined) return
  throw fault(name, "Size", `its rank at "${large.module}" is ${large.shape[0]}, the bank's is ${rank}`)
}

/** A value filled up to the bank's shape. */
function fitted({ parameter, data }: NamedValues, wanted: Parameter, scale: number): NamedValues {
  const out = new Float32Array(sizeOf(wanted.shape))
  const [width, wider] = [parameter.shape, wanted.shape].map((shape) => shape.at(-1)!)
  if (width === wider) data.forEach((value, i) => out[i] = value * scale)
  else {for (let row = 0; row < data.length / width; row++) {
      out.set(data.subarray(row * width, (row + 1) * width), row * wider)
    }}
  return { parameter: wanted, data: out }
}
