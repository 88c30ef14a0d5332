/**
 * Attributes and elements of values, as jinja2 looks them up: methods before keys after a dot, keys before methods in brackets.
 * @module
 */
import { equal } from "./compare.ts"
import { TEXT_METHODS } from "./strings.ts"
import { repr } from "./text.ts"
import {
  type Arguments,
  type Callable,
  isList,
  itemsOf,
  Namespace,
  numberOf,
  take,
  TemplateError,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts"

type Dictionary = ReadonlyMap<Value, Value>

const DICTIONARY_METHODS: Readonly<Record<string, (own: Dictionary, args: Arguments) => Value>> = {
  get: (own, args) => {
    const [key = null, usual = null] = take("get", args, ["key", "default"])
    return own.has(key) ? own.get(key)! : usual
  },
  items: (own) => [...own].map((pair) => new Tuple(pair)),
  keys: (own) => [...own.keys()],
  values: (own) => [...own.values()],
  copy: (own) => new Map(own),
}

const LIST_METHODS: Readonly<Record<string, (own: ReadonlyArray<Value>, args: Arguments) => Value>> = {
  count: (own, args) => own.filter((item) => equal(item, take("count", args, ["value"])[0] ?? null)).length,
  index: (own, args) => {
    const at = own.findIndex((item) => equal(item, take("index", args, ["value"])[0] ?? null))
    if (at < 0) throw new TemplateError("the value is not in the list")
    return at
  },
}

/** Methods that the sandbox of transformers refuses, since they change their value. */
const CHANGING: Readonly<Record<string, ReadonlyArray<string>>> = {
  dict: ["clear", "pop", "popitem", "setdefault", "update"],
  list: ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"],
}

const methodOf = (value: Value, name: string): Callable | undefined => {
  const own = <Of>(methods: Readonly<Record<string, (of: Of, args: Arguments) => Value>>, of: Of) =>
    Object.hasOwn(methods, name) ? (args: Arguments) => methods[name](of, args) : undefined
  if (typeof value === "string") return own(TEXT_METHODS, value)
  if (value instanceof Map) return own(DICTIONARY_METHODS, value as Dictionary)
  if (isList(value)) return own(LIST_METHODS, value)
  return value instanceof Tuple ? own(LIST_METHODS, value.items) : undefined
}

/** What `value.name` gives, without keys: a method, or a field of a namespace. */
const ownAttribute = (value: Value, name: string): Value | undefined => {
  if (value instanceof Namespace) return value.fields.get(name)
  if (CHANGING[typeName(value)]?.includes(name)) {
    throw new TemplateError(`${name}() would change a ${typeName(value)}, which templates may not`)
  }
  return methodOf(value, name)
}

const absent = (value: Value, name: string): Undefined =>
  new Undefined(`'${value === null ? "None" : `${typeName(value)} object`}' has no attribute '${name}'`)

/** `value.name`. */
export const attributeOf = (value: Value, name: string): Value => {
  if (value instanceof Undefined) throw new TemplateError(value.why)
  const own = ownAttribute(value, name)
  const found = own === undefined && value instanceof Map ? (value as Dictionary).get(name) : own
  return found === undefined ? absent(value, name) : found
}

/** `value[key]`. */
export const elementOf = (value: Value, key: Value): Value => {
  if (value instanceof Undefined) throw new TemplateError(value.why)
  const item = value instanceof Map ? (value as Dictionary).get(key) : itemAt(value, key)
  const found = item === undefined && typeof key === "string" ? ownAttribute(value, key) : item
  if (found !== undefined) return found
  if (typeof key === "string") return absent(value, key)
  return new Undefined(`${typeName(value)} object has no element ${repr(key)}`)
}

/** An item of a list, a tuple or a text; null is an item too. */
const itemAt = (value: Value, key: Value): Value | undefined => {
  if (typeof value !== "string" && !isList(value) && !(value instanceof Tuple)) return undefined
  return typeof key === "number" || typeof key === "boolean" ? itemsOf(value).at(Number(key)) : undefined
}

/** `value[start:stop:step]`. */
export const sliceOf = (value: Value, bounds: ReadonlyArray<Value | undefined>): Value => {
  if (value instanceof Undefined) throw new TemplateError(value.why)
  if (typeof value !== "string" && !isList(value) && !(value instanceof Tuple)) {
    return new Undefined(`${typeName(value)} object has no slices`)
  }
  const [start, stop, by] = bounds.map((bound) => {
    const number = bound === null ? undefined : bound
    if (number !== undefined && (typeof number !== "number" || numberOf(number) === undefined)) {
      throw new TemplateError("slice indices must be integers or None")
    }
    return number
  })
  const items = itemsOf(value), step = by ?? 1, { length } = items
  if (step === 0) throw new TemplateError("slice step cannot be zero")
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1]
  const bounded = (bound: number | undefined, usual: number) =>
    bound === undefined ? usual : Math.min(high, Math.max(low, bound < 0 ? bound + length : bound))
  const from = bounded(start, step > 0 ? low : high), to = bounded(stop, step > 0 ? high : low)
  const taken: Array<Value> = []
  for (let at = from; step > 0 ? at < to : at > to; at += step) taken.push(items[at])
  if (typeof value === "string") return taken.join("")
  return value instanceof Tuple ? new Tuple(taken) : taken
}
