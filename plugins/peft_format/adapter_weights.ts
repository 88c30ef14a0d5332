import type { NamedValues } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { widenBF16, widenF16 } from "../../core/tensor/half_floats.ts"
import { encodeSafetensors, parseHeader, SafetensorsError, type TensorEntry } from "../../core/formats/safetensors.ts"
import { PeftError } from "./peft_error.ts"

const PREFIX = "base_model.model."

/** Names of parameters that are stored without `.weight`. */
const BARE = /^lora_embedding_[AB]$/

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
  const tensors = values.map(({ parameter, data }) => {
    return { name: names.get(parameter)!, shape: parameter.shape, dtype: "F32", data } as const
  })
  return encodeSafetensors(tensors, { format: "pt" })
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
  const found = headerOf(bytes, file)
  const names = peftNames(wanted)
  const expected = new Set(names.values())
  const problems: string[] = []
  for (const [{ shape }, name] of names) {
    const entry = found.get(name)
    if (entry === undefined) problems.push(`missing: ${name}`)
    else if (`${entry.shape}` !== `${shape}`) {
      problems.push(`wrongly shaped: ${name} [${entry.shape}] instead of [${shape}]`)
    }
  }
  const wrapped = new Set(wanted.map(({ module }) => `${PREFIX}${module}.base_layer.weight`))
  for (const name of found.keys()) if (!expected.has(name) && !wrapped.has(name)) problems.push(`unexpected: ${name}`)
  if (problems.length > 0) {
    const more = problems.length > 10 ? `\n  and ${problems.length - 10} more` : ""
    const message = `${file}: does not fit the model and its options\n  ${problems.slice(0, 10).join("\n  ")}${more}`
    throw new PeftError({ reason: "Weights", file, message })
  }
  return wanted.map((parameter) => ({ parameter, data: numbersOf(bytes, found.get(names.get(parameter)!)!, file) }))
}

function headerOf(bytes: Uint8Array, file: string): ReadonlyMap<string, TensorEntry> {
  try {
    return parseHeader(bytes, bytes.length, file).tensors
  } catch (error) {
    if (error instanceof SafetensorsError) throw new PeftError({ reason: "Weights", file, message: error.message })
    throw error
  }
}

function numbersOf(
  bytes: Uint8Array,
  { name, dtype, byteOffset, byteLength }: TensorEntry,
  file: string,
): Float32Array {
  // Not slice: of a Node Buffer it gives a view, maybe not aligned.
  const raw = new Uint8Array(bytes.subarray(byteOffset, byteOffset + byteLength)).buffer
  if (dtype === "F32") return new Float32Array(raw)
  const widen = dtype === "F16" ? widenF16 : dtype === "BF16" ? widenBF16 : undefined
  if (widen === undefined) {
    const message = `${file}: tensor "${name}" is ${dtype}; only F32, F16 and BF16 are read`
    throw new PeftError({ reason: "Weights", file, message })
  }
  const bits = new Uint32Array(byteLength / 2)
  widen(new Uint16Array(raw), bits)
  return new Float32Array(bits.buffer)
}
