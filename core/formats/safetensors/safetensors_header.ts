/**
 * The header of a safetensors file: names, types, shapes and places of its tensors.
 *
 * Layout: 8 bytes little-endian length of the header, the header (a JSON object, padded with spaces), the tensors'
 * bytes without gaps. https://github.com/huggingface/safetensors
 * @module
 */
import { HeaderScanner } from "./header_scanner.ts"
import { SafetensorsError } from "./safetensors_error.ts"
import { bitsOf, isStoredDType, type StoredDType } from "./stored_dtype.ts"

/** Longest header that is read, as in the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000

/** Bytes before the header: its length. */
export const LENGTH_BYTES: number = 8

/** A tensor in a file. */
export interface TensorEntry {
  /** Its name: a path such as `model.norm.weight`. */
  readonly name: string
  /** Type of its elements in the file. */
  readonly dtype: StoredDType
  /** Its dimensions; empty for a scalar. */
  readonly shape: ReadonlyArray<number>
  /** The file it lies in. */
  readonly file: string
  /** Where its first byte lies, from the start of the file. */
  readonly byteOffset: number
  /** How many bytes it takes there. */
  readonly byteLength: number
}

/** What a header says. */
export interface SafetensorsHeader {
  /** The tensors by name, in the header's order. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** The free texts under `__metadata__`; empty if there are none. */
  readonly metadata: ReadonlyMap<string, string>
}

/**
 * Reads the header's length from the first 8 bytes, and refuses one that the file cannot hold, before anything of that
 * size is allocated. Throws {@link SafetensorsError}.
 */
export function parseHeaderLength(bytes: Uint8Array, fileSize: number, file: string): number {
  const fail = (reason: "Truncated" | "Header", what: string): never => {
    throw new SafetensorsError({ reason, file, message: `"${file}": ${what}` })
  }
  if (fileSize < LENGTH_BYTES || bytes.length < LENGTH_BYTES) {
    fail("Truncated", `too short for a safetensors file (${Math.min(fileSize, bytes.length)} bytes)`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES)
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32
  if (length > MAX_HEADER_BYTES) {
    fail("Header", `the header claims ${length} bytes, more than ${MAX_HEADER_BYTES}: ${whatIs(bytes)}`)
  }
  if (length > fileSize - LENGTH_BYTES) {
    fail("Truncated", `the header claims ${length} bytes, the file has ${fileSize}: fetch the file again`)
  }
  return length
}

/** Beginnings of files that are found in the place of weights. */
const BEGINNINGS: ReadonlyArray<readonly [start: string, what: string]> = [
  ["version ", "this is a pointer of Git LFS, not the file itself: git lfs pull, or fetch the file again"],
  ["PK", "this is a PyTorch archive under another name: load it in Python and save_pretrained"],
  ["GGUF", "this is a GGUF file under another name"],
  ["<", "this is a web page, not the file: fetch the file again"],
]

function whatIs(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, LENGTH_BYTES))
  return BEGINNINGS.find(([start]) => text.startsWith(start))?.[1] ?? "not a safetensors file?"
}

/**
 * Parses and checks a header. Strict: every offset, size and name must be as the format says, so that reading by the
 * result stays inside the file. Throws {@link SafetensorsError}.
 * @param bytes The start of the file, with the whole header; more may follow.
 * @param fileSize Bytes of the whole file.
 * @param file How errors and entries name the file.
 */
export function parseHeader(bytes: Uint8Array, fileSize: number, file: string): SafetensorsHeader {
  const length = parseHeaderLength(bytes, fileSize, file)
  const start = LENGTH_BYTES + length
  if (bytes.length < start) {
    throw new SafetensorsError({
      reason: "Truncated",
      file,
      message: `"${file}": the header has ${length} bytes, only ${bytes.length - LENGTH_BYTES} were given`,
    })
  }
  const json = bytes.subarray(LENGTH_BYTES, start)
  const scanner = new HeaderScanner(json, file)
  if (json[0] !== 0x7b) scanner.fail('"{" expected: not a safetensors file?')
  const tensors = new Map<string, TensorEntry>()
  const metadata = new Map<string, string>()
  scanner.object((name) => {
    if (name === "__metadata__") scanner.object((key) => metadata.set(key, scanner.string()))
    else tensors.set(name, parseEntry(scanner, name, file, start))
  })
  scanner.end()
  checkLayout(tensors, start, fileSize, file)
  return { tensors, metadata }
}

function parseEntry(scanner: HeaderScanner, name: string, file: string, start: number): TensorEntry {
  let dtype: string | undefined
  let shape: ReadonlyArray<number> | undefined
  let offsets: ReadonlyArray<number> | undefined
  scanner.object((key) => {
    if (key === "dtype") dtype = scanner.string()
    else if (key === "shape") shape = scanner.integers()
    else if (key === "data_offsets") offsets = scanner.integers()
    else scanner.fail(`tensor ${JSON.stringify(name)} has the unknown field ${JSON.stringify(key)}`)
  })
  const fail = (reason: "Header" | "Dtype" | "Shape", what: string): never => {
    throw new SafetensorsError({ reason, file, message: `"${file}": tensor ${JSON.stringify(name)} ${what}` })
  }
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    return fail("Header", "lacks one of dtype, shape and data_offsets")
  }
  if (!isStoredDType(dtype)) return fail("Dtype", `has the unknown dtype ${JSON.stringify(dtype)}`)
  if (offsets.length !== 2 || offsets[0] > offsets[1]) {
    return fail("Header", `has data_offsets [${offsets}]; they must be a start and an end`)
  }
  const bits = shape.reduce((product, size) => product * size, bitsOf(dtype))
  if (!Number.isSafeInteger(bits)) return fail("Shape", `has the impossible shape [${shape}]`)
  const byteLength = offsets[1] - offsets[0]
  if (bits !== byteLength * 8) {
    return fail(
      "Shape",
      `of shape [${shape}] and dtype ${dtype} takes ${bits / 8} bytes, its data_offsets say ${byteLength}`,
    )
  }
  return { name, dtype, shape, file, byteOffset: start + offsets[0], byteLength }
}

/** The tensors' bytes must fill the rest of the file, one after another. */
function checkLayout(tensors: ReadonlyMap<string, TensorEntry>, start: number, fileSize: number, file: string): void {
  const entries = [...tensors.values()].sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength)
  let end = start
  for (const entry of entries) {
    if (entry.byteOffset !== end) {
      const what = entry.byteOffset < end ? "overlaps another" : "leaves a gap before it"
      throw new SafetensorsError({
        reason: "Header",
        file,
        message: `"${file}": tensor ${JSON.stringify(entry.name)} at byte ${entry.byteOffset} ${what}; ${end} expected`,
      })
    }
    end += entry.byteLength
  }
  if (end === fileSize) return
  const short = end > fileSize
  throw new SafetensorsError({
    reason: short ? "Truncated" : "Header",
    file,
    message: short
      ? `"${file}": the tensors end at byte ${end}, the file has ${fileSize}: fetch the file again`
      : `"${file}": ${fileSize - end} bytes follow the last tensor`,
  })
}

/** A tensor to be written. */
export interface TensorLayout {
  /** Its name. */
  readonly name: string
  /** Its dimensions. */
  readonly shape: ReadonlyArray<number>
  /** Type of its elements in the file. */
  readonly dtype: StoredDType
}

export function elementCount(shape: ReadonlyArray<number>): number {
  return shape.reduce((product, size) => product * size, 1)
}

// The reference implementation orders by its list of types, largest first, then by name; its readers take any order.
const WRITE_ORDER: ReadonlyArray<StoredDType> = ["F32", "BF16", "F16"]

/** Puts tensors in the reference implementation's order, in which each starts at a multiple of its element's size. */
export function inFileOrder<T extends TensorLayout>(tensors: Iterable<T>): ReadonlyArray<T> {
  return [...tensors].sort((a, b) =>
    WRITE_ORDER.indexOf(a.dtype) - WRITE_ORDER.indexOf(b.dtype) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  )
}

/** Makes length and header for tensors in this order. Throws {@link SafetensorsError} on wrong names and shapes. */
export function encodeHeader(
  tensors: ReadonlyArray<TensorLayout>,
  metadata: Readonly<Record<string, string>>,
  file: string,
): Uint8Array<ArrayBuffer> {
  const fields = Object.keys(metadata).length === 0 ? [] : [`"__metadata__":${JSON.stringify(metadata)}`]
  const names = new Set<string>(["__metadata__"])
  let offset = 0
  for (const { name, shape, dtype } of tensors) {
    if (names.has(name) || !name.isWellFormed()) {
      const message = `"${file}": cannot write a tensor named ${JSON.stringify(name)}: names must be unique`
      throw new SafetensorsError({ reason: "Header", file, message })
    }
    names.add(name)
    const end = offset + elementCount(shape) * bitsOf(dtype) / 8
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0) || !Number.isSafeInteger(end)) {
      const message = `"${file}": cannot write tensor ${JSON.stringify(name)} of shape [${shape}]`
      throw new SafetensorsError({ reason: "Shape", file, message })
    }
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`)
    offset = end
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`)
  const length = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(LENGTH_BYTES + length).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(json, LENGTH_BYTES)
  return bytes
}
