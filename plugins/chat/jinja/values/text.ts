/**
 * Values as text, character by character as Python writes them.
 * @module
 */
import { compare } from "./compare.ts"
import { Float, isList, Namespace, Safe, TemplateError, Tuple, typeName, Undefined, type Value } from "./values.ts"

/** `str(value)`. */
export const textOf = (value: Value): string => {
  if (typeof value === "string") return value
  if (value instanceof Safe) return value.text
  return value instanceof Undefined ? "" : repr(value)
}

/** `repr(value)`. */
export const repr = (value: Value): string => {
  if (typeof value === "string") return quoted(value)
  if (value === null) return "None"
  if (typeof value === "boolean") return value ? "True" : "False"
  if (typeof value === "number" || typeof value === "bigint") return String(value)
  if (value instanceof Float) return floatText(value.value)
  if (value instanceof Undefined) return "Undefined"
  if (value instanceof Tuple) return `(${value.items.map(repr).join(", ")}${value.items.length === 1 ? "," : ""})`
  if (isList(value)) return `[${value.map(repr).join(", ")}]`
  if (value instanceof Map) return `{${[...value].map(([key, own]) => `${repr(key)}: ${repr(own)}`).join(", ")}}`
  const what = value instanceof Namespace ? "a namespace" : "a function"
  throw new TemplateError(`${what} is printed: its text in Python is that of no value`)
}

/** The shortest digits that give the number back, with Python's choice of an exponent. */
export const floatText = (value: number): string => {
  if (Number.isNaN(value)) return "nan"
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf"
  if (Object.is(value, -0)) return "-0.0"
  const [digits, exponent] = value.toExponential().split("e")
  const power = Number(exponent)
  if (power < -4 || power >= 16) {
    return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`
  }
  // JavaScript writes a number of up to 21 digits without an exponent, but one below 1e-6 with it.
  const text = String(value)
  return /[.]/.test(text) ? text : `${text}.0`
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const quoted = (text: string): string => {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character]).replaceAll(quote, `\\${quote}`)
    .replace(/[\p{C}\p{Z}]/gu, (character) => character === " " ? character : codeText(character.codePointAt(0)!))
  return quote + escaped + quote
}

const codeText = (code: number): string => {
  const hex = code.toString(16)
  if (code < 0x100) return `\\x${hex.padStart(2, "0")}`
  return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`
}

/** How JSON is written. */
export interface JsonOptions {
  /** Writes what is not ASCII as escapes. */
  readonly ascii: boolean
  /** Spaces by level; null writes one line. */
  readonly indent: number | null
  /** Between items, and between a key and its value. */
  readonly separators: readonly [item: string, key: string]
  /** Sorts keys. */
  readonly sorted: boolean
}

/** `json.dumps(value)`. */
export const jsonText = (value: Value, options: JsonOptions, level = 0): string => {
  if (typeof value === "string") return jsonString(value, options)
  if (value === null || typeof value === "boolean") return String(value)
  if (typeof value === "number" || typeof value === "bigint") return String(value)
  if (value instanceof Float) return floatText(value.value).replace("inf", "Infinity").replace("nan", "NaN")
  const list = value instanceof Tuple ? value.items : value
  if (isList(list)) return within("[]", list.map((item) => jsonText(item, options, level + 1)), options, level)
  if (!(value instanceof Map)) throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`)
  const entries = options.sorted ? [...value].sort(([a], [b]) => compare(a, b)) : [...value]
  const parts = entries.map(([key, own]) =>
    jsonString(keyText(key), options) + options.separators[1] + jsonText(own, options, level + 1)
  )
  return within("{}", parts, options, level)
}

const within = (
  [open, close]: string,
  parts: ReadonlyArray<string>,
  { indent, separators: [item] }: JsonOptions,
  level: number,
): string => {
  if (indent === null || parts.length === 0) return open + parts.join(item) + close
  const line = (level: number) => `\n${" ".repeat(indent * level)}`
  return open + line(level + 1) + parts.join(item + line(level + 1)) + line(level) + close
}

const keyText = (key: Value): string => {
  if (typeof key === "string") return key
  return key === null ? "null" : textOf(key).replace(/^(?:True|False)$/, (word) => word.toLowerCase())
}

const jsonString = (text: string, { ascii }: JsonOptions): string => {
  const json = JSON.stringify(text)
  if (!ascii) return json
  return json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
}
