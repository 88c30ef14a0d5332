/**
 * The tensors of an adapter's file by name, in any of the float types that are found in them.
 * @module
 */
import { widenBF16, widenF16 } from "../../core/tensor/half_floats.ts"
import {
  encodeSafetensors,
  parseHeader,
  SafetensorsError,
  type TensorEntry,
} from "../../core/formats/safetensors/safetensors.ts"
import type { Shape } from "../../core/tensor/shape.ts"
import { PeftError, peftError } from "../peft_names/mod.ts"

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
  const stored = openTensors(bytes, file)
  checkTensors(differences(stored.shapes, wanted, passOver), file)
  return new Map([...wanted.keys()].map((name) => [name, stored.read(name)]))
}

/** A file's tensors: their shapes, and each one's elements when they are asked for. */
export interface StoredTensors {
  readonly shapes: ReadonlyMap<string, Shape>
  readonly read: (name: string) => Float32Array
}

export function openTensors(bytes: Uint8Array, file: string): StoredTensors {
  const found = headerOf(bytes, file)
  return {
    shapes: new Map([...found].map(([name, { shape }]) => [name, shape])),
    read: (name) => numbersOf(bytes, found.get(name)!, file),
  }
}

export interface Differences {
  /** Wanted, and not there. */
  readonly missing: ReadonlyArray<string>
  /** There, and not wanted. */
  readonly unexpected: ReadonlyArray<string>
  /** Of another shape. */
  readonly misshapen: ReadonlyArray<{ readonly name: string; readonly got: Shape; readonly wanted: Shape }>
}

export function differences(
  found: ReadonlyMap<string, Shape>,
  wanted: ReadonlyMap<string, Shape>,
  passOver: ReadonlySet<string>,
): Differences {
  return {
    missing: [...wanted.keys()].filter((name) => !found.has(name)),
    unexpected: [...found.keys()].filter((name) => !wanted.has(name) && !passOver.has(name)),
    misshapen: [...wanted].flatMap(([name, shape]) => {
      const got = found.get(name)
      return got === undefined || `${got}` === `${shape}` ? [] : [{ name, got, wanted: shape }]
    }),
  }
}

/** Throws a {@link PeftError} where there are any differences. */
export function checkTensors(differences: Differences, file: string, likely = ""): void {
  const { missing, unexpected, misshapen } = differences
  const problems = [
    ...missing.map((name) => `missing: ${name}`),
    ...misshapen.map(({ name, got, wanted }) => `wrongly shaped: ${name} [${got}] instead of [${wanted}]`),
    ...unexpected.map((name) => `unexpected: ${name}`),
  ]
  if (problems.length === 0) return
  const more = problems.length > 10 ? `\n  and ${problems.length - 10} more` : ""
  throw peftError(
    "Weights",
    file,
    `does not fit the model and its options\n  ${problems.slice(0, 10).join("\n  ")}${more}` +
      (likely === "" ? "" : `\nlikely: ${likely}`),
  )
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
    throw peftError("Weights", file, `tensor "${name}" is ${dtype}; only F32, F16 and BF16 are read`)
  }
  const bits = new Uint32Array(byteLength / 2)
  widen(new Uint16Array(raw), bits)
  return new Float32Array(bits.buffer)
}
