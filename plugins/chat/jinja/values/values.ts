/**
 * Values of a template as Python has them: whole numbers are numbers, floats are {@link Float}, dictionaries are maps.
 * @module
 */

import { isNumeral } from "../../../../core/data/readers/json/json_value.ts"

/** A name, an attribute or an element that is not there: empty where it is printed, an error where it is used. */
export class Undefined {
  /** @param why What is missing, for messages. */
  constructor(readonly why: string) {}
}

/** A number that is a float, whole or not. */
export class Float {
  /** @param value The number. */
  constructor(readonly value: number) {}
}

/** A tuple. */
export class Tuple {
  /** @param items Its items. */
  constructor(readonly items: ReadonlyArray<Value>) {}
}

/** A text that the filter `safe` made: what is added to it is escaped for HTML, even where nothing else is. */
export class Safe {
  /** @param text The text. */
  constructor(readonly text: string) {}
}

/** What `namespace()` gives, and `loop`: attributes, some of which can be set. */
export class Namespace {
  /** @param fields Its attributes. */
  constructor(readonly fields: Map<string, Value>) {}
}

/** Arguments of a call. */
export interface Arguments {
  /** By position. */
  readonly positional: ReadonlyArray<Value>
  /** By name. */
  readonly named: ReadonlyMap<string, Value>
}

/** A function, a macro or a method of a value. */
export type Callable = (args: Arguments) => Value

/** A value. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Float
  | Undefined
  | Tuple
  | Safe
  | Namespace
  | Callable
  | ReadonlyArray<Value>
  | ReadonlyMap<Value, Value>

/** A template that cannot be read, or that fails where Python's does. */
export class TemplateError extends Error {
  /** Shown in stack traces. */
  override readonly name: string = "TemplateError"
}

/** Whether a value is a list. */
export const isList = (value: Value): value is ReadonlyArray<Value> => Array.isArray(value)

/** The number of a value that counts as one. */
export const numberOf = (value: Value): number | undefined => {
  if (value instanceof Float) return value.value
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint"
    ? Number(value)
    : undefined
}

/** A value as a plain one: a safe text as a text. */
export const unmarked = (value: Value): Value => value instanceof Safe ? value.text : value

/** Python's name of a value's type. */
export const typeName = (value: Value): string => {
  if (value === null) return "NoneType"
  if (value instanceof Undefined) return "Undefined"
  if (value instanceof Float) return "float"
  if (value instanceof Tuple) return "tuple"
  if (value instanceof Namespace) return "Namespace"
  if (isList(value)) return "list"
  if (value instanceof Map) return "dict"
  const names: Readonly<Record<string, string>> = { boolean: "bool", number: "int", bigint: "int", string: "str" }
  return names[typeof value] ?? "function"
}

/** Whether a value counts as true. */
export const isTrue = (value: Value): boolean => {
  if (value instanceof Undefined) return false
  if (value instanceof Float) return value.value !== 0
  if (value instanceof Tuple) return value.items.length > 0
  if (value instanceof Safe) return value.text !== ""
  if (isList(value)) return value.length > 0
  return value instanceof Map ? value.size > 0 : Boolean(value)
}

/** The items of a value that can be iterated over: characters, keys of a dictionary, none of what is not there. */
export const itemsOf = (value: Value): ReadonlyArray<Value> => {
  if (value instanceof Undefined) return []
  if (value instanceof Tuple) return value.items
  if (isList(value)) return value
  if (value instanceof Map) return [...value.keys()]
  if (typeof value === "string") return [...value]
  throw new TemplateError(`'${typeName(value)}' object is not iterable`)
}

/** The length of a value. */
export const lengthOf = (value: Value): number => {
  if (value === null || numberOf(value) !== undefined || typeof value === "function" || value instanceof Namespace) {
    throw new TemplateError(`object of type '${typeName(value)}' has no len()`)
  }
  return itemsOf(value).length
}

/** A value of JSON. Numbers with a fraction are floats, and so are those that a file writes as such (1.0, 1e3). */
export const valueOf = (json: unknown): Value => {
  if (Array.isArray(json)) return json.map((item, at) => isNumeral(json, at) ? numeralOf(item) : valueOf(item))
  if (typeof json === "number") return Number.isInteger(json) ? json : new Float(json)
  if (typeof json !== "object" || json === null) return (json ?? null) as Value
  const given = Object.entries(json).filter(([, value]) => value !== undefined)
  return new Map(
    given.map(([name, value]): [Value, Value] => [name, isNumeral(json, name) ? numeralOf(value) : valueOf(value)]),
  )
}

/** The number that a text of a file stands for. */
const numeralOf = (text: string): Value => /^-?\d+$/.test(text) ? BigInt(text) : new Float(Number(text))

/** Takes arguments by the names of parameters. Those that are not given are undefined. */
export const take = (
  name: string,
  { positional, named }: Arguments,
  parameters: ReadonlyArray<string>,
): ReadonlyArray<Value | undefined> => {
  const stray = [...named.keys()].find((key) => !parameters.slice(positional.length).includes(key))
  if (stray !== undefined) throw new TemplateError(`${name}() got an unexpected argument '${stray}'`)
  if (positional.length > parameters.length) {
    throw new TemplateError(`${name}() takes at most ${parameters.length} arguments, got ${positional.length}`)
  }
  return parameters.map((key, at) => at < positional.length ? positional[at] : named.get(key))
}
