/**
 * Values of metadata, written as a file's bytes.
 * @module
 */
import type { ByteSink } from "./byte_sink.ts"
import type { GgufErrorFields } from "./gguf_error.ts"
import { GGUF_VALUE_TYPES, type GgufArray, type GgufValue, type GgufValueOf, type GgufValueType } from "./gguf_types.ts"

/** Throws a `GgufError` about a file that is to be written. */
export type Fail = (reason: GgufErrorFields["reason"], what: string) => never

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
  for (let i = 0; i < items.length; i++) writeItem(sink, { type: of, value: items[i] } as GgufValue, key, fail)
}

function writeItem(sink: ByteSink, { type, value }: GgufValue, key: string, fail: Fail): void {
  if (type === "array") return writeArray(sink, value, key, fail)
  const writer = WRITERS[type] as ValueWriter<unknown>
  if (!writer.fits(value)) fail("Value", `"${key}" holds ${String(value)}, which is no ${type}`)
  writer.write(sink, value)
}

/** Writes the type of a value and the value. `key` names it in errors. */
export function writeValue(sink: ByteSink, value: GgufValue, key: string, fail: Fail): void {
  sink.uint32(GGUF_VALUE_TYPES.indexOf(value.type))
  writeItem(sink, value, key, fail)
}
