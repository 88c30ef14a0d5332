/**
 * AdapterHub's tensor names and weight files.
 * @module
 */
import type { ArtifactFiles, NamedValues } from "../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { parseHeader, SafetensorsError } from "../../core/formats/safetensors/safetensors.ts"
import { decodeTensors, encodeTensors } from "../peft_format/mod.ts"
import { PeftError } from "../peft_names/mod.ts"
import { AdapterHubError } from "./adapter_hub_error.ts"

/**
 * The module that holds a part's adapters in AdapterHub's models: the module at the end of the part if the family has
 * one (BERT's `output`, which starts with a Linear), or that of the part itself (`layer.1` of T5), otherwise a module that
 * AdapterHub adds to the layer.
 */
function placeOf({ path, kind, residual }: ModuleInfo, infos: ReadonlyMap<string, ModuleInfo>): string {
  const parent = path.slice(0, path.lastIndexOf("."))
  if (kind === "Linear" || infos.get(parent)?.kind !== "Block") return parent
  return `${parent}.${residual === "attention" ? "attention" : "output"}_adapters`
}

/** The parameters whose names start with `prefix`, by AdapterHub's names. */
export function hubNames(
  parameters: ReadonlyArray<Parameter>,
  modules: ReadonlyArray<ModuleInfo>,
  prefix: string,
  group: string,
): ReadonlyMap<string, Parameter> {
  const infos = new Map(modules.map((module) => [module.path, module]))
  return new Map(
    parameters.filter(({ owner, name }) => owner !== "base" && name.startsWith(prefix)).map((parameter) => {
      const place = placeOf(infos.get(parameter.module)!, infos)
      return [`${place}.${group}.${parameter.name.slice(prefix.length)}`, parameter]
    }),
  )
}

/** A file with these parameters. */
export function encodeParameters(
  names: ReadonlyMap<string, Parameter>,
  values: ReadonlyArray<NamedValues>,
): Uint8Array {
  const data = new Map(values.map((value) => [value.parameter, value.data]))
  return encodeTensors(
    new Map([...names].map(([name, parameter]) => [name, { shape: parameter.shape, data: data.get(parameter)! }])),
  )
}

/** Values of these parameters from a file. Throws {@link AdapterHubError}. */
export function decodeParameters(
  files: ArtifactFiles,
  file: string,
  pickle: string,
  names: ReadonlyMap<string, Parameter>,
): ReadonlyArray<NamedValues> {
  const bytes = bytesOf(files, file, pickle)
  try {
    const stored = namesIn(bytes, file, [...names.keys()])
    const wanted = new Map([...names].map(([name, { shape }]) => [stored(name), shape]))
    // AdapterHub stores a norm before the bottleneck twice.
    const twice = [...wanted.keys()].map((name) => name.replace(/adapter_norm_before(?=\.\w+$)/, "adapter_down.0"))
    const found = decodeTensors(bytes, wanted, file, new Set(twice))
    return [...names].map(([name, parameter]) => ({ parameter, data: found.get(stored(name))! }))
  } catch (error) {
    if (!(error instanceof PeftError || error instanceof SafetensorsError)) throw error
    throw new AdapterHubError({ reason: "Weights", file, message: error.message })
  }
}

/** Spelling of names in a file: a file of a bare backbone omits the backbone's name (`bert.`). */
function namesIn(bytes: Uint8Array, file: string, names: ReadonlyArray<string>): (name: string) => string {
  const { tensors } = parseHeader(bytes, bytes.length, file)
  const backbone = names[0].slice(0, names[0].indexOf(".") + 1)
  const isBare = names.some((name) => tensors.has(name.slice(backbone.length)))
  return (name) => isBare ? name.slice(backbone.length) : name
}

/** A file's content. If only its pickle exists, the error says what to do. */
export function bytesOf(files: ArtifactFiles, file: string, pickle?: string): Uint8Array {
  if (files[file] !== undefined) return files[file]
  const isPickled = pickle !== undefined && files[pickle] !== undefined
  const message = isPickled
    ? `"${pickle}" is a pickle, which can run code and is not read; load it with AdapterHub's package "adapters" and ` +
      "save it again with use_safetensors=True"
    : `there is no "${file}"`
  throw new AdapterHubError({ reason: "Weights", file: isPickled ? pickle : file, message })
}
