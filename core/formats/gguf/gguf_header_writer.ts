/**
 * The bytes of a GGUF file before its tensors: magic, version, counts, metadata, infos.
 * @module
 */
import { sizeOf } from "../../tensor/shape.ts"
import { bytesFor, type Encoding } from "../../../kernels/encoding.ts"
import { ByteSink, padding } from "./byte_sink.ts"
import { GgufError } from "./gguf_error.ts"
import {
  ALIGNMENT_KEY,
  DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VERSION,
  type GgufMetadata,
  type GgufTensorInfo,
  MAX_AXES,
  MAX_NAME_BYTES,
} from "./gguf_types.ts"
import { type Fail, writeValue } from "./gguf_value_writer.ts"

const encoder = new TextEncoder()

const failIn = (file: string): Fail => (reason, what) => {
  throw new GgufError({ reason, file, message: `"${file}": ${what}` })
}

/** Bytes of a tensor without padding. The type must have an encoding. */
export const tensorBytes = ({ shape, type }: GgufTensorInfo): number =>
  bytesFor(type.encoding as Encoding, sizeOf(shape))

/** The alignment that metadata ask for. Throws {@link GgufError} where it is none. */
function alignmentOf(metadata: GgufMetadata, fail: Fail): number {
  const own = metadata.get(ALIGNMENT_KEY)
  if (own === undefined) return DEFAULT_ALIGNMENT
  const value = Number(own.value)
  if (own.type === "uint32" && value >= 8 && Number.isInteger(Math.log2(value))) return value
  return fail("Header", `"${ALIGNMENT_KEY}" is ${own.type} ${value}: it must be a uint32, a power of two from 8 on`)
}

function checkTensor({ name, shape, type }: GgufTensorInfo, fail: Fail): void {
  const bytes = encoder.encode(name).length
  const what = `tensor ${JSON.stringify(name)}`
  if (bytes === 0 || bytes > MAX_NAME_BYTES || !name.isWellFormed()) {
    fail("Header", `${what} has a name of ${bytes} bytes: 1 to ${MAX_NAME_BYTES} are allowed`)
  }
  if (type.encoding === undefined) fail("Type", `${what} cannot be written in ${type.name}: it has no encoding here`)
  const { block } = type.encoding as Encoding
  const extents = shape.every((extent) => Number.isSafeInteger(extent) && extent > 0)
  if (shape.length === 0 || shape.length > MAX_AXES || !extents) {
    fail("Shape", `${what} has the shape [${shape}]: 1 to ${MAX_AXES} axes of 1 element or more are allowed`)
  }
  if (shape.at(-1)! % block !== 0) {
    fail("Shape", `${what} [${shape}] cannot be kept in ${type.name}: its last axis is no multiple of ${block}`)
  }
}

/** What comes before the tensors, and how they are aligned. */
export interface EncodedHeader {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly alignment: number
}

/** Makes the header. Throws {@link GgufError} on values that do not fit their types, and on wrong names and shapes. */
export function encodeGgufHeader(
  metadata: GgufMetadata,
  tensors: ReadonlyArray<GgufTensorInfo>,
  file: string,
): EncodedHeader {
  const fail = failIn(file)
  const alignment = alignmentOf(metadata, fail)
  const sink = new ByteSink()
  sink.uint32(GGUF_MAGIC)
  sink.uint32(GGUF_VERSION)
  sink.uint64(tensors.length)
  sink.uint64(metadata.size)
  for (const [key, value] of metadata) {
    if (key === "" || !key.isWellFormed()) fail("Header", `${JSON.stringify(key)} is no key of metadata`)
    sink.string(key)
    writeValue(sink, value, key, fail)
  }
  const names = new Set<string>()
  let offset = 0
  for (const tensor of tensors) {
    checkTensor(tensor, fail)
    if (names.has(tensor.name)) fail("Unexpected", `two tensors are named ${JSON.stringify(tensor.name)}`)
    names.add(tensor.name)
    sink.string(tensor.name)
    sink.uint32(tensor.shape.length)
    for (const extent of tensor.shape.toReversed()) sink.uint64(extent)
    sink.uint32(tensor.type.id)
    sink.uint64(offset)
    const bytes = tensorBytes(tensor)
    offset += bytes + padding(bytes, alignment)
  }
  sink.pad(alignment)
  return { bytes: sink.bytes(), alignment }
}
