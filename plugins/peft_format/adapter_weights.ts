import type { NamedValues } from "../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { likelyReason } from "./lora/likely_reason.ts"
import { storedNames } from "./lora/stored_names.ts"
import { peftError, PREFIX } from "../peft_names/mod.ts"
import { checkTensors, differences, encodeTensors, openTensors, type StoredTensors } from "./tensors.ts"

/** Names of parameters that are stored without `.weight`. */
const BARE = /^lora_(embedding_[AB]|magnitude_vector)$/

/**
 * PEFT's name of each parameter: a method's by the path of its module, a trained base parameter by its own, except a
 * bias of a module that the method wraps (`base_layer.bias`).
 */
export function peftNames(parameters: ReadonlyArray<Parameter>): ReadonlyMap<Parameter, string> {
  const wrapped = new Set(parameters.filter(({ owner }) => owner !== "base").map(({ module }) => module))
  return new Map(parameters.map((parameter) => {
    const { owner, module, name, key } = parameter
    if (owner === "base") return [parameter, PREFIX + (wrapped.has(module) ? `${module}.base_layer.${name}` : key)]
    return [parameter, `${PREFIX}${module}.${name}${BARE.test(name) ? "" : ".weight"}`]
  }))
}

/**
 * The bytes of `adapter_model.safetensors`.
 *
 * @param within Path that names are written without: of the backbone, for an adapter of a model without a head. Default:
 * none.
 */
export function encodeWeights(values: ReadonlyArray<NamedValues>, within = ""): Uint8Array {
  const names = peftNames(values.map(({ parameter }) => parameter))
  const [long, short] = [`${PREFIX}${within}.`, PREFIX]
  return encodeTensors(
    new Map(values.map(({ parameter, data }) => {
      const name = names.get(parameter)!
      const own = within !== "" && name.startsWith(long) ? short + name.slice(long.length) : name
      return [own, { shape: parameter.shape, data }]
    })),
  )
}

/** The tensors of `adapter_model.safetensors` by PEFT's names, in a model with such modules. */
export function openAdapterWeights(
  bytes: Uint8Array,
  file: string,
  modules: ReadonlyArray<ModuleInfo>,
): StoredTensors {
  const { shapes, read } = openTensors(bytes, file)
  const { names, twice } = storedNames(shapes.keys(), modules.find(({ backbone }) => backbone !== undefined)?.backbone)
  if (twice.length > 0) {
    throw peftError("Weights", file, `${twice[0]} mean the same tensor: it holds several adapters; save each by itself`)
  }
  return {
    shapes: new Map([...names].map(([name, stored]) => [name, shapes.get(stored)!])),
    read: (name) => read(names.get(name)!),
  }
}

export interface WeightsContext {
  readonly modules: ReadonlyArray<ModuleInfo>
  /** Where the config says that the base model was loaded from; empty for nowhere. */
  readonly baseModel: string
  /** Inputs for which A has one column. Default 1. */
  readonly groupSize?: number
  /** Names of PEFT's that may be there and play no part. */
  readonly passOver?: ReadonlySet<string>
}

/**
 * Values of the wanted parameters from `adapter_model.safetensors`. Missing, unexpected and wrongly shaped tensors are
 * one {@link PeftError} that lists them. A frozen `base_layer.weight`, which PEFT adds beside a targeted embedding, is
 * passed over; parameters that are not `trainable` may be absent together.
 */
export function decodeWeights(
  bytes: Uint8Array,
  wanted: ReadonlyArray<Parameter>,
  file: string,
  context: WeightsContext = { modules: [], baseModel: "" },
): ReadonlyArray<NamedValues> {
  return wantedWeights(openAdapterWeights(bytes, file, context.modules), wanted, file, context)
}

/** The same of a file that is open: see {@link openAdapterWeights}. */
export function wantedWeights(
  stored: StoredTensors,
  wanted: ReadonlyArray<Parameter>,
  file: string,
  context: WeightsContext,
): ReadonlyArray<NamedValues> {
  const { passOver = new Set() } = context
  const names = peftNames(wanted)
  const isThere = (parameter: Parameter) => stored.shapes.has(names.get(parameter)!)
  const optional = wanted.filter(({ trainable = true }) => !trainable)
  const absent = new Set(optional.some(isThere) ? [] : optional)
  const own = wanted.filter((parameter) => !absent.has(parameter))
  const shapes = new Map(own.map((parameter) => [names.get(parameter)!, parameter.shape]))
  const frozen = own.map(({ module }) => `${PREFIX}${module}.base_layer.weight`).filter((name) => !shapes.has(name))
  const found = differences(stored.shapes, shapes, new Set([...passOver, ...frozen]))
  checkTensors(found, file, likelyReason(found, stored.shapes, context))
  return own.map((parameter) => ({ parameter, data: stored.read(names.get(parameter)!) }))
}
