/**
 * The header of a GGUF file: metadata, and types, shapes and places of its tensors.
 * @module
 */
import { bytesFor } from "../../../kernels/encoding.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { ByteCursor } from "./byte_cursor.ts"
import { GGML_TYPES, ggmlType } from "./ggml_types.ts"
import {
  ALIGNMENT_KEY,
  DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION,
  type GgufMetadata,
  type GgufTensorInfo,
  type GgufValue,
  MAX_AXES,
  MAX_NAME_BYTES,
} from "./gguf_types.ts"
import { readValue } from "./gguf_values.ts"

/** A tensor in a file. */
export interface GgufTensor extends GgufTensorInfo {
  /** Where its first byte lies, from the start of the file. */
  readonly byteOffset: number
  /** How many bytes it takes there. */
  readonly byteLength: number
}

/** What a header says. */
export interface GgufHeader {
  /** Metadata by key. */
  readonly metadata: GgufMetadata
  /** The tensors by name, in the header's order. */
  readonly tensors: ReadonlyMap<string, GgufTensor>
}

/** Fewest bytes of a key with its value, and of a tensor's info. */
const LEAST_PAIR = 13, LEAST_INFO = 24

/**
 * Parses and checks a header. Strict: every length, place and name must be as the format says, so that reading by the
 * result stays inside the file. Throws {@link GgufError}, and {@link NeedsMore} where `bytes` end within the header.
 *
 * @param bytes The start of the file.
 * @param fileSize Bytes of the whole file.
 * @param file How errors name the file.
 */
export function parseGguf(bytes: Uint8Array, fileSize: number, file: string): GgufHeader {
  const cursor = new ByteCursor(bytes, fileSize, file)
  checkStart(cursor)
  const tensorCount = cursor.count(LEAST_INFO, "the number of tensors")
  const pairCount = cursor.count(LEAST_PAIR, "the number of metadata values")
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < pairCount; i++) {
    const key = cursor.text(`key ${i} of the metadata`)
    if (metadata.has(key)) cursor.fail("Header", `the metadata has ${JSON.stringify(key)} twice`)
    metadata.set(key, readValue(cursor, JSON.stringify(key)))
  }
  const alignment = alignmentIn(metadata, cursor)
  const infos = new Map<string, GgufTensor>()
  for (let i = 0; i < tensorCount; i++) {
    const info = readInfo(cursor, i, alignment)
    if (infos.has(info.name)) cursor.fail("Header", `tensor ${JSON.stringify(info.name)} is there twice`)
    infos.set(info.name, info)
  }
  const start = Math.ceil(cursor.at / alignment) * alignment
  const tensors = new Map([...infos].map(([name, info]) => [name, { ...info, byteOffset: start + info.byteOffset }]))
  checkPlaces([...tensors.values()], cursor)
  return { metadata, tensors }
}

const BEFORE = "this is of the time before GGUF: convert the model again"

/** Beginnings of files that are found in the place of GGUF. */
const BEGINNINGS: ReadonlyArray<readonly [start: string, what: string]> = [
  ["vers", "this is a pointer of Git LFS, not the file itself: git lfs pull, or fetch the file again"],
  ["<", "this is a web page, not the file: fetch the file again"],
  ["ggml", BEFORE],
  ["lmgg", BEFORE],
  ["tjgg", BEFORE],
]

/** Magic and version. */
function checkStart(cursor: ByteCursor): void {
  const magic = cursor.uint32("the magic number")
  if (magic !== GGUF_MAGIC) {
    const text = String.fromCharCode(...cursor.bytes.subarray(0, 4))
    const what = BEGINNINGS.find(([start]) => text.startsWith(start))?.[1] ?? 'it must begin with "GGUF"'
    cursor.fail("Header", `not a GGUF file: ${what}`)
  }
  const version = cursor.uint32("the version")
  if (version === 2 || version === GGUF_VERSION) return
  const what = version === 1
    ? "version 1 is not read: convert the model again with tools of today"
    : (version & 0xffff) === 0
    ? "it is big-endian, which is not read: convert it with gguf-py's gguf_convert_endian.py"
    : `its version is ${version}; 2 and ${GGUF_VERSION} are read`
  cursor.fail("Header", what)
}

function alignmentIn(metadata: GgufMetadata, cursor: ByteCursor): number {
  const given = metadata.get(ALIGNMENT_KEY)
  if (given === undefined) return DEFAULT_ALIGNMENT
  const { type, value } = given
  if (type === "uint32" && value > 0 && (value & (value - 1)) === 0) return value
  const got = typeof value === "object" ? `an ${type}` : `${value} (${type})`
  return cursor.fail("Header", `${ALIGNMENT_KEY} must be a power of 2 as a uint32, it is ${got}`)
}

/** A tensor's info; its place is counted from the beginning of all tensors. */
function readInfo(cursor: ByteCursor, at: number, alignment: number): GgufTensor {
  const [start, end] = cursor.textRange(`the name of tensor ${at}`)
  if (end - start > MAX_NAME_BYTES) {
    cursor.fail("Header", `the name of tensor ${at} has ${end - start} bytes, more than ${MAX_NAME_BYTES}`)
  }
  const name = cursor.textAt(start, end, `the name of tensor ${at}`)
  const what = `tensor ${JSON.stringify(name)}`
  const axes = cursor.uint32(what)
  if (axes > MAX_AXES) cursor.fail("Shape", `${what} has ${axes} axes, more than ${MAX_AXES}`)
  const extents = Array.from({ length: axes }, () => cursor.uint64(what))
  const id = cursor.uint32(what)
  const place = cursor.uint64(what)
  const type = ggmlType(id) ?? cursor.fail("Type", `${what} is of type ${id}, which ggml does not have`)
  const { encoding } = type
  if (encoding === undefined) {
    const read = GGML_TYPES.filter(({ encoding }) => encoding !== undefined).map(({ name }) => name).join(", ")
    return cursor.fail(
      "Type",
      `${what} is ${type.name}, which is not read; read are ${read}: take the model in another quantization`,
    )
  }
  const shape = extents.map(Number).reverse()
  const elements = sizeOf(shape)
  if (!Number.isSafeInteger(elements) || !shape.every(Number.isSafeInteger)) {
    cursor.fail("Shape", `${what} has the impossible shape [${extents.reverse()}]`)
  }
  const width = shape.at(-1) ?? 1
  if (width % encoding.block !== 0) {
    cursor.fail("Shape", `${what} [${shape}] is ${type.name}, whose rows are whole blocks of ${encoding.block}`)
  }
  if (place % BigInt(alignment) !== 0n) {
    cursor.fail("Header", `${what} lies at ${place}, which is no multiple of the alignment ${alignment}`)
  }
  const byteLength = bytesFor(encoding, elements)
  if (place + BigInt(byteLength) > BigInt(cursor.fileSize)) {
    cursor.fail(
      "Truncated",
      `${what} ends ${place + BigInt(byteLength)} bytes into the tensors, the file has ${cursor.fileSize}: ` +
        "fetch the file again",
    )
  }
  return { name, shape, type, byteOffset: Number(place), byteLength }
}

/** Tensors must lie in the file, and none in another. */
function checkPlaces(tensors: ReadonlyArray<GgufTensor>, cursor: ByteCursor): void {
  const ordered = [...tensors].sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength)
  let end = 0
  let before = ""
  for (const { name, byteOffset, byteLength } of ordered) {
    if (byteOffset < end) {
      cursor.fail("Header", `tensors ${JSON.stringify(before)} and ${JSON.stringify(name)} overlap`)
    }
    end = byteOffset + byteLength
    before = name
    if (end > cursor.fileSize) {
      const what = `tensor ${JSON.stringify(name)} ends at byte ${end}, the file has ${cursor.fileSize}`
      cursor.fail("Truncated", `${what}: fetch the file again`)
    }
  }
}
