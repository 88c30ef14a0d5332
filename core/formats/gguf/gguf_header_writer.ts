/**
 * The bytes of a GGUF file before its tensors: magic, version, counts, metadata, infos.
 * @module
 */
import { sizeOf } from "../../tensor/shape.ts"
import { bytesFor, type Encoding } from "../../../kernels/encoding.ts"
import { GgufError, type GgufErrorFields } from "./gguf_error.ts"
import {
  ALIGNMENT_KEY,
  DEFAULT_ALIGNMENT,
  GGUF_MAGIC,
  GGUF_VALUE_TYPES,
  GGUF_VERSION,
  type GgufArray,
  type GgufMetadata,
  type GgufTensorInfo,
  type GgufValue,
  type GgufValueOf,
  type GgufValueType,
  MAX_AXES,
  MAX_NAME_BYTES,
} from "./gguf_types.ts"

const encoder = new TextEncoder()

/** Throws a {@link GgufError} about a file that is to be written. */
type Fail = (reason: GgufErrorFields["reason"], what: string) => never

const failIn = (file: string): Fail => (reason, what) => {
  throw new GgufError({ reason, file, message: `"${file}": ${what}` })
}

/** Appends little-endian values to bytes that grow. */
class ByteSink {
  #bytes = new Uint8Array(1 << 16)
  #view = new DataView(this.#bytes.buffer)
  length = 0

  #room(count: number): number {
    const at = this.length
    this.length += count
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.length)
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }

  /** A value of a fixed size by its setter of `DataView`. */
  put<V extends number | bigint>(
    set: (this: DataView, at: number, value: V, little: boolean) => void,
    bytes: number,
    value: V,
  ) {
    const at = this.#room(bytes)
    set.call(this.#view, at, value, true)
  }

  uint32(value: number): void {
    this.put(this.#view.setUint32, 4, value)
  }

  uint64(value: number): void {
    this.put(this.#view.setBigUint64, 8, BigInt(value))
  }

  string(value: string): void {
    const bytes = encoder.encode(value)
    this.uint64(bytes.length)
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
  }

  pad(alignment: number): void {
    this.#room(padding(this.length, alignment))
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length)
  }
}

/** Bytes from a length up to the next multiple of the alignment. */
export const padding = (length: number, alignment: number): number => (alignment - length % alignment) % alignment

/** Bytes of a tensor without padding. The type must have an encoding. */
export const tensorBytes = ({ shape, type }: GgufTensorInfo): number =>
  bytesFor(type.encoding as Encoding, sizeOf(shape))

/** How a type's values are checked and written. */
interface ValueWriter<V> {
  readonly fits: (value: V) => boolean
  readonly write: (sink: ByteSink, value: V) => void
}

const whole = (least: number, most: number, write: ValueWriter<number>["write"]): ValueWriter<number> => ({
  fits: (value) => Number.isInteger(value) && value >= least && value <= most,
  write,
})
const large = (least: bigint, most: bigint, write: ValueWriter<bigint>["write"]): ValueWriter<bigint> => ({
  fits: (value) => typeof value === "bigint" && value >= least && value <= most,
  write,
})
const { setUint8, setInt8, setUint16, setInt16, setUint32, setInt32, setFloat32, setFloat64 } = DataView.prototype
const { setBigUint64, setBigInt64 } = DataView.prototype

const WRITERS: { readonly [Type in Exclude<GgufValueType, "array">]: ValueWriter<GgufValueOf[Type]> } = {
  uint8: whole(0, 255, (sink, value) => sink.put(setUint8, 1, value)),
  int8: whole(-128, 127, (sink, value) => sink.put(setInt8, 1, value)),
  uint16: whole(0, 65535, (sink, value) => sink.put(setUint16, 2, value)),
  int16: whole(-32768, 32767, (sink, value) => sink.put(setInt16, 2, value)),
  uint32: whole(0, 2 ** 32 - 1, (sink, value) => sink.put(setUint32, 4, value)),
  int32: whole(-(2 ** 31), 2 ** 31 - 1, (sink, value) => sink.put(setInt32, 4, value)),
  uint64: large(0n, 2n ** 64n - 1n, (sink, value) => sink.put(setBigUint64, 8, value)),
  int64: large(-(2n ** 63n), 2n ** 63n - 1n, (sink, value) => sink.put(setBigInt64, 8, value)),
  float32: { fits: (value) => typeof value === "number", write: (sink, value) => sink.put(setFloat32, 4, value) },
  float64: { fits: (value) => typeof value === "number", write: (sink, value) => sink.put(setFloat64, 8, value) },
  bool: {
    fits: (value) => typeof value === "boolean",
    write: (sink, value) => sink.put(setUint8, 1, value ? 1 : 0),
  },
  string: {
    fits: (value) => typeof value === "string" && value.isWellFormed(),
    write: (sink, value) => sink.string(value),
  },
}

function writeArray(sink: ByteSink, { of, items }: GgufArray, key: string, fail: Fail): void {
  sink.uint32(GGUF_VALUE_TYPES.indexOf(of))
  sink.uint64(items.length)
  for (let i = 0; i < items.length; i++) writeValue(sink, { type: of, value: items[i] } as GgufValue, key, fail)
}

function writeValue(sink: ByteSink, { type, value }: GgufValue, key: string, fail: Fail): void {
  if (type === "array") return writeArray(sink, value, key, fail)
  const writer = WRITERS[type] as ValueWriter<unknown>
  if (!writer.fits(value)) fail("Value", `"${key}" holds ${String(value)}, which is no ${type}`)
  writer.write(sink, value)
}

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
export interface GgufHeader {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly alignment: number
}

/** Makes the header. Throws {@link GgufError} on values that do not fit their types, and on wrong names and shapes. */
export function encodeGgufHeader(
  metadata: GgufMetadata,
  tensors: ReadonlyArray<GgufTensorInfo>,
  file: string,
): GgufHeader {
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
    sink.uint32(GGUF_VALUE_TYPES.indexOf(value.type))
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
