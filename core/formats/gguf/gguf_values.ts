/**
 * Values of metadata, read from a file's bytes.
 * @module
 */
import type { ByteCursor } from "./byte_cursor.ts"
import { GGUF_VALUE_TYPES, type GgufArray, type GgufValue, type GgufValueType } from "./gguf_types.ts"

/** How numbers of a type lie in a file. */
interface NumberType {
  readonly bytes: number
  readonly read: (view: DataView, at: number) => number | bigint
  readonly list: (memory: ArrayBuffer) => ArrayLike<number | bigint>
}

const NUMBERS: Readonly<Partial<Record<GgufValueType, NumberType>>> = {
  uint8: { bytes: 1, read: (view, at) => view.getUint8(at), list: (memory) => new Uint8Array(memory) },
  int8: { bytes: 1, read: (view, at) => view.getInt8(at), list: (memory) => new Int8Array(memory) },
  uint16: { bytes: 2, read: (view, at) => view.getUint16(at, true), list: (memory) => new Uint16Array(memory) },
  int16: { bytes: 2, read: (view, at) => view.getInt16(at, true), list: (memory) => new Int16Array(memory) },
  uint32: { bytes: 4, read: (view, at) => view.getUint32(at, true), list: (memory) => new Uint32Array(memory) },
  int32: { bytes: 4, read: (view, at) => view.getInt32(at, true), list: (memory) => new Int32Array(memory) },
  float32: { bytes: 4, read: (view, at) => view.getFloat32(at, true), list: (memory) => new Float32Array(memory) },
  uint64: { bytes: 8, read: (view, at) => view.getBigUint64(at, true), list: (memory) => new BigUint64Array(memory) },
  int64: { bytes: 8, read: (view, at) => view.getBigInt64(at, true), list: (memory) => new BigInt64Array(memory) },
  float64: { bytes: 8, read: (view, at) => view.getFloat64(at, true), list: (memory) => new Float64Array(memory) },
}

/** Most lists within lists. */
const DEEPEST = 4

/** Reads a value with its type. `what` names it in errors. */
export function readValue(cursor: ByteCursor, what: string): GgufValue {
  const type = readType(cursor, what)
  return { type, value: valueOf(cursor, type, what, 0) } as GgufValue
}

function readType(cursor: ByteCursor, what: string): GgufValueType {
  const number = cursor.uint32(`the type of ${what}`)
  return GGUF_VALUE_TYPES[number] ?? cursor.fail("Header", `${what} is of type ${number}, which GGUF does not have`)
}

function valueOf(cursor: ByteCursor, type: GgufValueType, what: string, depth: number): unknown {
  if (type === "string") return cursor.text(what)
  if (type === "array") return readArray(cursor, what, depth + 1)
  if (type === "bool") return readBool(cursor.bytes[cursor.skip(1, what)], cursor, what)
  const { bytes, read } = NUMBERS[type]!
  return read(...cursor.number(bytes, what))
}

function readBool(byte: number, cursor: ByteCursor, what: string): boolean {
  return byte > 1 ? cursor.fail("Header", `${what} is true or false, and its byte is ${byte}`) : byte === 1
}

/** Passes over a list; texts are decoded when they are asked for, since most readers need few of them. */
function readArray(cursor: ByteCursor, what: string, depth: number): GgufArray {
  if (depth > DEEPEST) cursor.fail("Header", `${what} has lists within lists, more than ${DEEPEST} deep`)
  const of = readType(cursor, what)
  const number = NUMBERS[of]
  const least = of === "string" ? 8 : of === "array" ? 12 : number?.bytes ?? 1
  const count = cursor.count(least, `the length of ${what}`)
  if (of === "string") {
    const starts = new Uint32Array(count)
    for (let i = 0; i < count; i++) starts[i] = cursor.textRange(what)[0]
    const after = cursor.at
    // A text ends where the length of the next begins.
    const items = once(() =>
      Array.from(starts, (start, i) => cursor.textAt(start, i + 1 < count ? starts[i + 1] - 8 : after, what))
    )
    return {
      of,
      get items() {
        return items()
      },
    }
  }
  if (of === "array") return { of, items: Array.from({ length: count }, () => readArray(cursor, what, depth + 1)) }
  const start = cursor.skip(count * least, what)
  const bytes = cursor.bytes.slice(start, start + count * least)
  if (of === "bool") return { of, items: Array.from(bytes, (byte) => readBool(byte, cursor, what)) }
  return { of, items: number!.list(bytes.buffer) } as GgufArray
}

function once<A>(make: () => A): () => A {
  let made: A | undefined
  return () => made ??= make()
}
