/**
 * An adapter's files as values of a bank's parameters.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { AdapterFiles, BankContext, BankValues } from "../../../core/contracts/bank/bank_method.ts"
import type { ArtifactFiles, NamedValues } from "../../../core/contracts/contribution.ts"
import type { Parameter } from "../../../core/contracts/parameter.ts"
import { resolveSites } from "../../../core/model/sites/sites.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import { adapterFault, openAdapterWeights, toAdapterFault, wantedWeights } from "../../peft_format/mod.ts"
import { baseName, CONFIG_FILE, PREFIX, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import type { LoraBankOptions } from "./bank_options.ts"
import { contributionOf } from "../contribution.ts"
import { readSaved, type SavedFiles, savedIn } from "../files/mod.ts"
import { A, B, MAGNITUDE } from "../low_rank.ts"
import { type ResolvedOptions, resolveOptions, startsFromBase } from "../options.ts"
import { rankAndScale } from "../targets.ts"
import { withRowFactors } from "./row_factors.ts"

interface Asked {
  readonly name: string
  readonly files: AdapterFiles
  readonly wanted: ReadonlyArray<Parameter>
  readonly model: BankContext
  readonly options: LoraBankOptions
}

/** Reads an adapter for a bank. */
export function readForBank(asked: Asked): Effect.Effect<BankValues, Error, FileSystem.FileSystem> {
  const { name, files, model } = asked
  const read = typeof files === "string"
    ? readSaved(files, "default", true)
    : Effect.try({ try: () => savedIn(complete(name, files), named(name)), catch: (error) => error })
  return Effect.mapError(read, toAdapterFault(name, "Files")).pipe(
    Effect.flatMap((saved) => Effect.try({ try: () => valuesOf(asked, saved), catch: toAdapterFault(name, "Base") })),
    Effect.flatMap((found) => withRowFactors(name, found, model)),
  )
}

const named = (name: string) => ({ directory: name, name: "default", plain: true })

function complete(name: string, files: ArtifactFiles): ArtifactFiles {
  const missing = [CONFIG_FILE, WEIGHTS_FILE].find((file) => !(files[file] instanceof Uint8Array))
  if (missing === undefined) return files
  throw adapterFault(
    name,
    "Files",
    `its files lack the bytes of ${missing}; there are ${Object.keys(files).join(", ") || "none"}`,
  )
}

/** Values of the bank's parameters, of its shapes. Throws. */
function valuesOf(asked: Asked, { options, origin, saved, baseModel }: SavedFiles): BankValues {
  const { wanted, model: { modules } } = asked
  const resolved = resolveOptions(options, origin)
  checkBase(asked, baseModel)
  checkOptions(asked, resolved)
  const contribution = contributionOf(resolved, saved)
  const own = resolveSites(modules, [{ id: resolved.id, sites: contribution.sites ?? [] }]).parameters
  const stored = openAdapterWeights(saved.files[WEIGHTS_FILE], WEIGHTS_FILE, modules)
  checkFits(asked, own, [...stored.shapes.keys()])
  const infos = new Map(modules.map((module) => [module.path, module]))
  const whole = wanted.filter(isWhole).flatMap((parameter) => {
    const { module, name: part, shape } = parameter
    const found = stored.shapes.get(`${PREFIX}${module}.${part}`)
    if (found === undefined && !contribution.trains?.(infos.get(module)!, part, modules)) return []
    return [{ ...parameter, owner: "base", key: `${module}.${part}`, shape: ownClasses(asked, module, shape, found) }]
  })
  const target = new Map(wanted.map((parameter) => [`${parameter.module}.${parameter.name}`, parameter]))
  const values = wantedWeights(stored, [...own, ...whole], WEIGHTS_FILE, { modules, baseModel })
  const classes = whole.find(({ module, name }) => name === "weight" && isLast(asked.model, module))?.shape[0]
  return {
    values: values.map((value) => {
      const { module, name } = value.parameter
      const scale = name === A ? rankAndScale(resolved, infos.get(module)!).scale : 1
      return fitted(value, target.get(`${module}.${name}`)!, scale)
    }),
    ...(classes === undefined ? {} : { classes }),
    notes: origin.notes,
  }
}

/** Whether a parameter of the bank is of a module that adapters have for themselves. */
const isWhole = ({ name }: Parameter): boolean => ![A, B, MAGNITUDE].includes(name)

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
  throw adapterFault(
    name,
    "Size",
    `its head has ${found[0]} classes, the model's has ${
      shape[0]
    }: load the model for as many labels as the largest head`,
  )
}

function checkBase({ name, model, options: { base } }: Asked, given: string): void {
  const own = baseName(model.baseModel).name
  const allowed = base ?? (own !== null && own !== model.baseModel ? [own] : undefined)
  // Another folder's name says nothing.
  const isName = base !== undefined || /^[^./\\][^/\\]*\/[^/\\]+$/.test(given)
  if (given === "" || allowed === undefined || !isName || allowed.includes(given)) return
  throw adapterFault(
    name,
    "Base",
    `its base_model_name_or_path is "${given}", the model's name is ${
      allowed.map((one) => `"${one}"`).join(" or ")
    }; ` +
      "if they are the same model, name it in the bank's option base",
  )
}

/** Throws on options that change what an adapter does beyond a scaled product. */
function checkOptions({ name, options: { dora } }: Asked, options: ResolvedOptions): void {
  const { useDora, bias, initLoraWeights } = options
  if (useDora && !dora) {
    throw adapterFault(
      name,
      "Unsupported",
      "use_dora is on: give the bank the option dora, or load it with Lora.fromPeft",
    )
  }
  const refused = bias !== "none"
    ? `bias is "${bias}": it trains biases of the model`
    : startsFromBase(options)
    ? `init_lora_weights is "${initLoraWeights}": it counts from another base weight; save it converted ` +
      "(path_initial_model_for_weight_conversion)"
    : undefined
  if (refused === undefined) return
  throw adapterFault(name, "Unsupported", `${refused}, which a bank cannot do for each row; load it with Lora.fromPeft`)
}

/** Throws where an adapter changes what the bank has no room for. */
function checkFits({ name, wanted }: Asked, own: ReadonlyArray<Parameter>, stored: ReadonlyArray<string>): void {
  const there = new Set(wanted.map(({ module, name }) => `${module}.${name}`))
  const pathOf = (key: string) => key.slice(0, key.lastIndexOf("."))
  const adapted = own.filter((one) => !there.has(`${one.module}.${one.name}`)).map(({ module }) => module)
  const whole = stored.filter((key) => !key.includes(".lora_")).map((key) => key.slice(PREFIX.length))
    .filter((key) => !there.has(key)).map(pathOf)
  for (const [what, paths] of [["adapts", adapted], ["trained whole", whole]] as const) {
    const lacking = [...new Set(paths)]
    if (lacking.length === 0) continue
    const more = lacking.length > 3 ? ` and ${lacking.length - 3} more` : ""
    const kept = [...new Set(wanted.map(({ module }) => module.replace(/^.*\./, "")))]
    throw adapterFault(
      name,
      "Targets",
      `it ${what} ${lacking.slice(0, 3).join(", ")}${more}; the bank has room for ${
        kept.join(", ")
      } (option targets: ` +
        "Linear modules; heads of classifiers have room where the model has one)",
    )
  }
  const [rank] = wanted.find((one) => one.name === A)!.shape
  const large = own.find((one) => one.name === A && one.shape[0] > rank)
  if (large === undefined) return
  throw adapterFault(name, "Size", `its rank at "${large.module}" is ${large.shape[0]}, the bank's is ${rank}`)
}

/** A value filled up to the bank's shape, times a factor. */
function fitted({ parameter, data }: NamedValues, wanted: Parameter, scale: number): NamedValues {
  const [width, wider] = [parameter.shape, wanted.shape].map((shape) => shape.at(-1)!)
  const scaled = scale === 1 ? data : data.map((value) => value * scale)
  if (data.length === sizeOf(wanted.shape)) return { parameter: wanted, data: scaled }
  const out = new Float32Array(sizeOf(wanted.shape))
  if (width === wider) out.set(scaled)
  else for (let at = 0, to = 0; at < data.length; at += width, to += wider) out.set(data.subarray(at, at + width), to)
  return { parameter: wanted, data: out }
}
