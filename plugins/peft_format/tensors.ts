/**
 * The tensors of an adapter's file by name, in any of the float types that are found in them.
 * @module
 */
import { widenBF16, widenF16 } from "../../core/tensor/half_floats.ts"
import { encodeSafetensors, parseHeader, SafetensorsError, type TensorEntry } from "../../core/formats/safetensors.ts"
import type { Shape } from "../../core/tensor/shape.ts"
import { PeftError } from "./peft_error.ts"

/** A tensor in memory, row-major. */
export interface FileTensor {
  /** Extents of its axes. */
  readonly shape: Shape
  /** Its elements. */
  readonly data: Float32Array
}

/** The bytes of a safetensors file with these tensors. */
export function encodeTensors(tensors: ReadonlyMap<string, FileTensor>): Uint8Array {
  return encodeSafetensors(
    [...tensors].map(([name, { shape, data }]) => ({ name, shape, dtype: "F32", data }) as const),
    { format: "pt" },
  )
}

/**
 * The wanted tensors of a file. Missing, unexpected and wrongly shaped ones are one {@link PeftError} that lists them.
 *
 * @param wanted Shapes by name.
 * @param passOver Names that may be there and play no part. Default: none.
 */
export function decodeTensors(
  bytes: Uint8Array,
  wanted: ReadonlyMap<string, Shape>,
  file: string,
  passOver: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, Float32Array> {
  const found = headerOf(bytes, file)
  const problems: string[] = []
  for (const [name, shape] of wanted) {
    const entry = found.get(name)
    if (entry === undefined) problems.push(`missing: ${name}`)
    else if (`${entry.shape}` !== `${shape}`) {
      problems.push(`wrongly shaped: ${name} [${entry.shape}] instead of [${shape}]`)
    }
  }
  for (const name of found.keys()) if (!wanted.has(name) && !passOver.has(name)) problems.push(`unexpected: ${name}`)
  if (problems.length > 0) {
    const more = problems.length > 10 ? `\n  and ${problems.length - 10} more` : ""
    const message = `${file}: does not fit the model and its options\n  ${problems.slice(0, 10).join("\n  ")}${more}`
    throw new PeftError({ reason: "Weights", file, message })
  }
  return new Map([...wanted.keys()].map((name) => [name, numbersOf(bytes, found.get(name)!, file)]))
}

/** All tensors of a file, by name. Throws {@link PeftError}. */
export function decodeAllTensors(bytes: Uint8Array, file: string): ReadonlyMap<string, FileTensor> {
  return new Map([...headerOf(bytes, file)].map(([name, entry]) => {
    return [name, { shape: entry.shape, data: numbersOf(bytes, entry, file) }]
  }))
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
