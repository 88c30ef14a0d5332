/**
 * Filters of jinja2, with `tojson` as transformers has it.
 * @module
 */
import { attributeOf, elementOf } from "./values/attributes.ts"
import { compare, equal, numeric } from "./values/compare.ts"
import { capitalize, lines, replace, strip } from "./values/strings.ts"
import { jsonText, textOf } from "./values/text.ts"
import {
  type Arguments,
  Float,
  isTrue,
  itemsOf,
  lengthOf,
  numberOf,
  Safe,
  take,
  TemplateError,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values/values.ts"
import { testOf } from "./tests.ts"

/** Makes another value of a value. */
export type Filter = (value: Value, args: Arguments) => Value

/** A filter whose parameters have names. */
const filter = (
  name: string,
  parameters: ReadonlyArray<string>,
  run: (value: Value, ...args: Array<Value | undefined>) => Value,
): Filter =>
(value, args) => run(value, ...take(name, args, parameters))

const ofText = (name: string, change: (text: string) => string): Filter =>
  filter(name, [], (value) => change(textOf(value)))

/** The value at a path of attributes, such as `function.name` or `0`. */
const atPath = (path: Value | undefined, usual?: Value) => (value: Value): Value => {
  if (path === undefined || path === null) return value
  const parts = typeof path === "number" ? [path] : textOf(path).split(".")
  const found = parts.reduce<Value>((own, part) => elementOf(own, /^\d+$/.test(`${part}`) ? Number(part) : part), value)
  return found instanceof Undefined && usual !== undefined ? usual : found
}

/** What is compared of values: texts without their case, unless it counts. */
const keyOf = (path: Value | undefined, sensitive: Value | undefined) => (value: Value): Value => {
  const key = atPath(path)(value)
  return typeof key === "string" && !isTrue(sensitive ?? false) ? key.toLowerCase() : key
}

const sorted = (values: ReadonlyArray<Value>, key: (value: Value) => Value, reverse: Value = false) => {
  const order = isTrue(reverse) ? -1 : 1
  return values.map((value) => [key(value), value] as const)
    .sort(([a], [b]) => order * compare(a, b)).map(([, value]) => value)
}

const extreme = (name: string, sign: number): Filter =>
  filter(name, ["case_sensitive", "attribute"], (value, sensitive, path) => {
    const key = keyOf(path, sensitive)
    const items = itemsOf(value)
    if (items.length === 0) return new Undefined("No aggregated item, sequence was empty.")
    return items.reduce((best, item) => sign * compare(key(item), key(best)) > 0 ? item : best)
  })

/** The items of a value, none of one that counts as false, such as `none`. */
const givenOf = (value: Value): ReadonlyArray<Value> => isTrue(value) ? itemsOf(value) : []

/** `select`, `reject`, `selectattr`, `rejectattr`. */
const choosing = (wanted: boolean, byAttribute: boolean): Filter => (value, { positional }) => {
  const [path, [name, ...args]] = byAttribute ? [positional[0], positional.slice(1)] : [undefined, positional]
  const test = testOf(name === undefined ? undefined : textOf(name))
  return givenOf(value).filter((item) => test(atPath(path)(item), ...args) === wanted)
}

const map: Filter = (value, { positional: [name, ...rest], named }) => {
  const path = named.get("attribute")
  if (path !== undefined) return givenOf(value).map(atPath(path, named.get("default")))
  if (name === undefined) throw new TemplateError("map wants an attribute or a filter")
  const run = filterOf(textOf(name))
  return givenOf(value).map((item) => run(item, { positional: rest, named }))
}

const tojson: Filter = filter(
  "tojson",
  ["ensure_ascii", "indent", "separators", "sort_keys"],
  (value, ascii = false, indent = null, separators = null, sorted = false) => {
    const between = separators === null ? [indent === null ? ", " : ",", ": "] : itemsOf(separators).map(textOf)
    return jsonText(value, {
      ascii: isTrue(ascii),
      indent: indent === null ? null : Math.max(0, numberOf(indent)!),
      separators: [between[0], between[1]],
      sorted: isTrue(sorted),
    })
  },
)

const indent: Filter = filter(
  "indent",
  ["width", "first", "blank"],
  (value, width = 4, first = false, blank = false) => {
    const space = typeof width === "string" ? width : " ".repeat(numberOf(width) ?? 4)
    const [start, ...rest] = lines(`${textOf(value)}\n`)
    const further = rest.map((line) => `\n${line === "" && !isTrue(blank) ? "" : space}${line}`)
    return (isTrue(first) ? space : "") + start + further.join("")
  },
)

/** Halves go to the even digit, as Python rounds. */
const round: Filter = filter("round", ["precision", "method"], (value, precision = 0, method = "common") => {
  const number = numberOf(value)
  if (number === undefined) throw new TemplateError(`type ${typeName(value)} is not rounded`)
  const scale = 10 ** numberOf(precision)!
  if (method !== "common") return new Float(Math[method === "ceil" ? "ceil" : "floor"](number * scale) / scale)
  const scaled = number * scale, low = Math.floor(scaled)
  const isHalf = scaled - low === 0.5
  return new Float((isHalf ? low + Math.abs(low % 2) : Math.round(scaled)) / scale)
})

const toInteger = filter("int", ["default", "base"], (value, usual = 0) => {
  if (typeof value === "string") {
    const text = strip(value, undefined)
    if (/^[+-]?\d+(?:_\d+)*$/.test(text)) return Number(text.replaceAll("_", ""))
    return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Math.trunc(Number(text)) : usual
  }
  const number = numberOf(value)
  return number === undefined || !Number.isFinite(number) ? usual : Math.trunc(number)
})

const toFloat = filter("float", ["default"], (value, usual = new Float(0)) => {
  const number = typeof value === "string" && /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(value)
    ? Number(value)
    : numberOf(value)
  return number === undefined ? usual : new Float(number)
})

const fallback = filter(
  "default",
  ["default_value", "boolean"],
  (value, usual = "", boolean = false) =>
    value instanceof Undefined || (isTrue(boolean) && !isTrue(value)) ? usual : value,
)

const endOf = (items: ReadonlyArray<Value>, at: number): Value =>
  items.length > 0 ? items.at(at)! : new Undefined("there is no such item, the sequence was empty")

const length = filter("length", [], lengthOf)

/** `title` of jinja2: after blanks, dashes and opening brackets. */
const title = (text: string) => text.split(/([-\s({[<]+)/).map(capitalize).join("")

/** Filters by name. */
export const FILTERS: Readonly<Record<string, Filter>> = {
  abs: filter("abs", [], (value) => {
    const number = numberOf(value)
    if (number === undefined) throw new TemplateError(`bad operand type for abs(): '${typeName(value)}'`)
    return numeric(Math.abs(number), value)
  }),
  attr: filter("attr", ["name"], (value, name) => attributeOf(value, textOf(name ?? ""))),
  capitalize: ofText("capitalize", capitalize),
  count: length,
  d: fallback,
  default: fallback,
  dictsort: filter("dictsort", ["case_sensitive", "by", "reverse"], (value, sensitive, by = "key", reverse) => {
    if (!(value instanceof Map)) throw new TemplateError(`'${typeName(value)}' object has no attribute 'items'`)
    const pairs = [...value].map((pair) => new Tuple(pair))
    return sorted(pairs, keyOf(by === "key" ? 0 : 1, sensitive), reverse)
  }),
  first: filter("first", [], (value) => endOf(itemsOf(value), 0)),
  float: toFloat,
  indent,
  int: toInteger,
  items: filter("items", [], (value) => {
    if (value instanceof Undefined) return []
    if (!(value instanceof Map)) throw new TemplateError("Can only get item pairs from a mapping.")
    return [...value].map((pair) => new Tuple(pair))
  }),
  join: filter(
    "join",
    ["d", "attribute"],
    (value, by = "", path) => itemsOf(value).map(atPath(path)).map(textOf).join(textOf(by)),
  ),
  last: filter("last", [], (value) => endOf(itemsOf(value), -1)),
  length,
  list: filter("list", [], (value) => [...itemsOf(value)]),
  lower: ofText("lower", (text) => text.toLowerCase()),
  map,
  max: extreme("max", 1),
  min: extreme("min", -1),
  reject: choosing(false, false),
  rejectattr: choosing(false, true),
  replace: filter("replace", ["old", "new", "count"], (value, old, by, count) => {
    if (old === undefined || by === undefined) throw new TemplateError("replace wants what to replace, and by what")
    return replace(textOf(value), textOf(old), textOf(by), numberOf(count ?? -1) ?? -1)
  }),
  reverse: filter("reverse", [], (value) => {
    const items = [...itemsOf(value)].reverse()
    return typeof value === "string" ? items.join("") : items
  }),
  round,
  safe: filter("safe", [], (value) => new Safe(textOf(value))),
  select: choosing(true, false),
  selectattr: choosing(true, true),
  sort: filter(
    "sort",
    ["reverse", "case_sensitive", "attribute"],
    (value, reverse, sensitive, path) => sorted(itemsOf(value), keyOf(path, sensitive), reverse),
  ),
  string: ofText("string", (text) => text),
  sum: filter(
    "sum",
    ["attribute", "start"],
    (value, path, start = 0) =>
      itemsOf(value).map(atPath(path)).reduce((total, item) => {
        const [a, b] = [numberOf(total), numberOf(item)]
        if (a === undefined || b === undefined) throw new TemplateError("sum wants numbers")
        return numeric(a + b, total, item)
      }, start),
  ),
  title: ofText("title", title),
  tojson,
  trim: filter(
    "trim",
    ["chars"],
    (value, chars) => strip(textOf(value), chars === undefined || chars === null ? undefined : textOf(chars)),
  ),
  unique: filter("unique", ["case_sensitive", "attribute"], (value, sensitive, path) => {
    const key = keyOf(path, sensitive), seen: Array<Value> = []
    return itemsOf(value).filter((item) => {
      const own = key(item)
      return seen.some((other) => equal(own, other)) ? false : seen.push(own) > 0
    })
  }),
  upper: ofText("upper", (text) => text.toUpperCase()),
}

/** Filters that jinja2 has beyond these. */
export const FURTHER_FILTERS: ReadonlyArray<string> = (
  "batch center e escape filesizeformat forceescape format groupby pprint random slice striptags truncate urlencode urlize " +
  "wordcount wordwrap xmlattr"
).split(" ")

/** The filter with a name. */
export const filterOf = (name: string): Filter => {
  if (Object.hasOwn(FILTERS, name)) return FILTERS[name]
  throw new TemplateError(`No filter named '${name}'.`)
}
