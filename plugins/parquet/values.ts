/**
 * Exact values. hyparquet turns decimals into numbers and cuts timestamps, so it is given the physical types alone, and what
 * the logical types mean is done here.
 * @module
 */
import type { SchemaElement, SchemaTree } from "hyparquet"

/** A value as hyparquet gives it from the physical type, turned into what its logical type means. */
type Exact = (value: unknown) => unknown

/** Types that hyparquet converts without a loss. */
const KEPT: ReadonlySet<string> = new Set(["STRING", "JSON", "UUID", "FLOAT16"])

/** A leaf of the schema without the types that are converted here. */
export const physical = (element: SchemaElement): SchemaElement => {
  const { type, converted_type: converted, logical_type: logical, ...rest } = element
  if (type === undefined) return element
  // With a type that is not converted it stays as it is.
  if (type === "INT96") return { ...rest, type, converted_type: "INT_64" }
  if (isText(element)) return { ...rest, type, converted_type: "UTF8" }
  if (converted === "JSON" || logical?.type === "JSON") return { ...rest, type, converted_type: "JSON" }
  return { ...rest, type, ...logical !== undefined && KEPT.has(logical.type) ? { logical_type: logical } : {} }
}

const isText = ({ converted_type: converted, logical_type: logical }: SchemaElement): boolean =>
  converted === "UTF8" || converted === "ENUM" || logical?.type === "STRING" || logical?.type === "ENUM"

/** What a column's values are turned into; undefined if they are right as they are. */
export const exactOf = ({ element, children }: SchemaTree): Exact | undefined => {
  const own = children.length === 0 ? leaf(element) : ofGroup(element, children)
  return element.repetition_type === "REPEATED" ? each(own) : own
}

const each = (exact: Exact | undefined): Exact | undefined =>
  exact && ((values) => Array.isArray(values) ? values.map(exact) : values)

/** A list, a map, or a struct. */
const ofGroup = ({ converted_type: kind }: SchemaElement, children: ReadonlyArray<SchemaTree>): Exact | undefined => {
  const [first] = children
  if (kind === "LIST" && first.element.repetition_type === "REPEATED" && first.children.length < 2) {
    const item = first.children.length === 1 ? first.children[0] : { ...first, element: REQUIRED(first.element) }
    return each(exactOf(item))
  }
  if (kind === "MAP" || kind === "MAP_KEY_VALUE") {
    const exact = exactOf(first.children[1])
    return exact && ((map) => isObject(map) ? mapped(map, () => exact) : map)
  }
  const byName = new Map(children.flatMap((child) => {
    const exact = exactOf(child)
    return exact === undefined ? [] : [[child.element.name, exact] as const]
  }))
  if (byName.size === 0) return undefined
  return (struct) => isObject(struct) ? mapped(struct, (name) => byName.get(name)) : struct
}

const REQUIRED = (element: SchemaElement): SchemaElement => ({ ...element, repetition_type: "REQUIRED" })

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const mapped = (object: object, exactFor: (name: string) => Exact | undefined): object =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, exactFor(name)?.(value) ?? value]))

/** The value of a leaf; null and undefined are missing values. */
const leaf = (element: SchemaElement): Exact | undefined => {
  const exact = present(element)
  return exact && ((value) => value === undefined || value === null ? value : exact(value))
}

/** What is counted in: how many make a second. */
const PER_SECOND = { MILLIS: 1000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n }

const present = (element: SchemaElement): Exact | undefined => {
  const { type, converted_type: converted, logical_type: logical } = element
  const scale = logical?.type === "DECIMAL" ? logical.scale : element.scale ?? 0
  const unit = logical?.type === "TIME" || logical?.type === "TIMESTAMP"
    ? PER_SECOND[logical.unit]
    : converted?.endsWith("MILLIS")
    ? PER_SECOND.MILLIS
    : PER_SECOND.MICROS
  if (isText(element) || converted === "JSON" || logical?.type === "JSON") return decoded
  if (converted === "DECIMAL" || logical?.type === "DECIMAL") return (value) => decimalText(integerOf(value), scale)
  if (converted === "DATE" || logical?.type === "DATE") {
    return (days) => instant(BigInt(days as number) * 86400n, 1n, "").slice(0, -9)
  }
  if (converted?.startsWith("TIMESTAMP") || logical?.type === "TIMESTAMP") {
    const zone = logical?.type === "TIMESTAMP" && !logical.isAdjustedToUTC ? "" : "Z"
    return (count) => instant(count as bigint, unit, zone)
  }
  if (type === "INT96") return (value) => instant(nanosOf(value as bigint), PER_SECOND.NANOS, "Z")
  if (converted?.startsWith("TIME") || logical?.type === "TIME") {
    return (count) => instant(BigInt(count as number | bigint), unit, "").slice("1970-01-01T".length)
  }
  if (converted === "INTERVAL" || logical?.type === "INTERVAL") return (bytes) => duration(bytes as Uint8Array)
  const unsigned = converted?.startsWith("UINT") || (logical?.type === "INTEGER" && !logical.isSigned)
  if (!unsigned) return undefined
  return (value) => typeof value === "bigint" ? BigInt.asUintN(64, value) : (value as number) >>> 0
}

const decoded: Exact = (value) => {
  if (value instanceof Uint8Array) throw new Error("it holds text that is not UTF-8")
  return value
}

/** An integer of any width, as hyparquet gives it. */
const integerOf = (value: unknown): bigint => {
  if (!(value instanceof Uint8Array)) return BigInt(value as number | bigint)
  const unsigned = value.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  return BigInt.asIntN(8 * value.length, unsigned)
}

/** Julian days in the high 32 bits, nanoseconds of the day below them. */
const nanosOf = (value: bigint): bigint => {
  // Arrow writes negative nanoseconds before 1970, and hyparquet then loses the day.
  if (value < 0n) {
    throw new Error("it holds INT96 timestamps before 1970 that cannot be read: write timestamps as INT64")
  }
  return ((value >> 64n) - 2440588n) * 86_400_000_000_000n + (value & 0xffff_ffff_ffff_ffffn)
}

/** An integer that is divided by a power of ten, with all places. */
const decimalText = (integer: bigint, scale: number): string => {
  const digits = String(integer < 0n ? -integer : integer).padStart(scale + 1, "0")
  const whole = digits.slice(0, digits.length - scale)
  return `${integer < 0n ? "-" : ""}${whole}${scale === 0 ? "" : `.${digits.slice(-scale)}`}`
}

/** A count from 1970 on, in ISO 8601 with at least milliseconds and as many digits as there are. */
const instant = (count: bigint, perSecond: bigint, zone: string): string => {
  const rest = ((count % perSecond) + perSecond) % perSecond
  const date = new Date(1000 * Number((count - rest) / perSecond))
  if (Number.isNaN(date.getTime())) throw new Error("it holds a date that is out of range")
  if (perSecond === 1n) return date.toISOString().slice(0, -5) + zone
  const digits = String(rest).padStart(String(perSecond).length - 1, "0")
  const shown = digits.slice(0, 3) + digits.slice(3).replace(/0+$/, "")
  return `${date.toISOString().slice(0, -5)}.${shown}${zone}`
}

/** Months, days and milliseconds, three numbers of 32 bits, in ISO 8601. */
const duration = (bytes: Uint8Array): string => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [months, days, millis] = [0, 4, 8].map((at) => view.getUint32(at, true))
  return `P${months}M${days}DT${millis / 1000}S`
}
