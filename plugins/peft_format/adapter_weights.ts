import type { NamedValues } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { decodeTensors, encodeTensors } from "./tensors.ts"

const PREFIX = "base_model.model."

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

/** The bytes of `adapter_model.safetensors`. */
export function encodeWeights(values: ReadonlyArray<NamedValues>): Uint8Array {
  const names = peftNames(values.map(({ parameter }) => parameter))
  return encodeTensors(
    new Map(values.map(({ parameter, data }) => [names.get(parameter)!, { shape: parameter.shape, data }])),
  )
}

/**
 * Values of the wanted parameters from `adapter_model.safetensors`. Missing, unexpected and wrongly shaped tensors are
 * one {@link PeftError} that lists them. A frozen `base_layer.weight`, which PEFT adds beside a targeted embedding, is
 * passed over.
 */
export function decodeWeights(
  bytes: Uint8Array,
  wanted: ReadonlyArray<Parameter>,
  file: string,
): ReadonlyArray<NamedValues> {
  const names = peftNames(wanted)
  const shapes = new Map([...names].map(([{ shape }, name]) => [name, shape]))
  const frozen = new Set(
    wanted.map(({ module }) => `${PREFIX}${module}.base_layer.weight`).filter((n) => !shapes.has(n)),
  )
  const found = decodeTensors(bytes, shapes, file, frozen)
  return wanted.map((parameter) => ({ parameter, data: found.get(names.get(parameter)!)! }))
}
