/**
 * Methods of texts, as Python's `str` has them.
 * @module
 */
import { textOf } from "./text.ts"
import { type Arguments, isList, take, TemplateError, Tuple, typeName, type Value } from "./values.ts"

/** White space of Python's `str.strip`; JavaScript's adds U+FEFF and lacks five controls. */
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
const STARTS = new RegExp(`^[${SPACE}]+`)
const ENDS = new RegExp(`[${SPACE}]+$`)
const WORDS = new RegExp(`[^${SPACE}]+`, "g")
// deno-lint-ignore no-control-regex
const LINES = new RegExp("\\r\\n|[\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029]")

/** `text.strip(characters)`, of one side or both. */
export const strip = (text: string, characters: string | undefined, sides: "both" | "left" | "right" = "both") => {
  if (characters === undefined) {
    const rest = sides === "right" ? text : text.replace(STARTS, "")
    return sides === "left" ? rest : rest.replace(ENDS, "")
  }
  const all = [...text], set = new Set(characters)
  let from = 0, to = all.length
  while (sides !== "right" && from < to && set.has(all[from])) from++
  while (sides !== "left" && to > from && set.has(all[to - 1])) to--
  return all.slice(from, to).join("")
}

/** `text.splitlines()`. */
export const lines = (text: string): ReadonlyArray<string> => {
  const parts = text.split(LINES)
  return parts.at(-1) === "" ? parts.slice(0, -1) : parts
}

/** `text.replace(old, new, count)`. */
export const replace = (text: string, old: string, by: string, count = -1): string => {
  if (count < 0) return old === "" ? by + [...text].map((one) => one + by).join("") : text.split(old).join(by)
  const parts = old === "" ? ["", ...text, ""] : text.split(old)
  const cut = Math.min(count, parts.length - 1)
  return parts.slice(0, cut).map((part) => part + by).join("") + parts.slice(cut).join(old)
}

/** `text.capitalize()`. */
export const capitalize = (text: string): string => {
  const [first = "", ...rest] = text
  return first.toUpperCase() + rest.join("").toLowerCase()
}

/** `text.split(separator, most)`. */
const split = (text: string, separator: string | undefined, most: number): Array<string> => {
  if (separator === "") throw new TemplateError("empty separator")
  const limit = most < 0 ? Infinity : most
  if (separator !== undefined) {
    const parts = text.split(separator)
    return parts.length - 1 <= limit ? parts : [...parts.slice(0, limit), parts.slice(limit).join(separator)]
  }
  const words = [...text.matchAll(WORDS)]
  if (words.length <= limit) return words.map(([word]) => word)
  return [...words.slice(0, limit).map(([word]) => word), text.slice(words[limit].index)]
}

/** `text.rsplit(separator, most)`. */
const splitRight = (text: string, separator: string | undefined, most: number): Array<string> => {
  const mirrored = (one: string) => [...one].reverse().join("")
  const parts = split(mirrored(text), separator === undefined ? undefined : mirrored(separator), most)
  return parts.map(mirrored).reverse()
}

/** Number of code units before the code point with an index, as a slice has it. */
const unitsBefore = (text: string, index: Value | undefined, usual: number): number => {
  if (index === undefined || index === null) return usual
  if (typeof index !== "number") throw new TemplateError("slice indices must be integers or None")
  const characters = [...text]
  const at = index < 0 ? Math.max(0, characters.length + index) : index
  return characters.slice(0, at).join("").length
}

const textArgument = (method: string, value: Value | undefined): string => {
  if (typeof value === "string") return value
  throw new TemplateError(`${method}() argument must be str, not ${value === undefined ? "absent" : typeName(value)}`)
}

const optionalText = (method: string, value: Value | undefined): string | undefined =>
  value === undefined || value === null ? undefined : textArgument(method, value)

const integer = (method: string, value: Value | undefined, usual: number): number => {
  if (value === undefined) return usual
  if (typeof value === "number" || typeof value === "boolean") return Number(value)
  throw new TemplateError(`${method}(): '${typeName(value)}' object cannot be interpreted as an integer`)
}

type Method = (text: string, args: Arguments) => Value

const stripping = (name: string, sides: "both" | "left" | "right"): Method => (text, args) =>
  strip(text, optionalText(name, take(name, args, ["chars"])[0]), sides)

const splitting = (name: string, how: typeof split): Method => (text, args) => {
  const [separator, most] = take(name, args, ["sep", "maxsplit"])
  return how(text, optionalText(name, separator), integer(name, most, -1))
}

const testing = (name: string, test: (part: string, affix: string) => boolean): Method => (text, args) => {
  const [affix, from, to] = take(name, args, [name === "startswith" ? "prefix" : "suffix", "start", "end"])
  const part = text.slice(unitsBefore(text, from, 0), unitsBefore(text, to, text.length))
  const all = affix instanceof Tuple ? affix.items : [affix]
  return all.some((one) => test(part, textArgument(name, one)))
}

const finding = (name: string, find: (part: string, sought: string) => number): Method => (text, args) => {
  const [sought, from, to] = take(name, args, ["sub", "start", "end"])
  const start = unitsBefore(text, from, 0)
  const at = find(text.slice(start, unitsBefore(text, to, text.length)), textArgument(name, sought))
  if (at < 0 && name.endsWith("index")) throw new TemplateError("substring not found")
  return at < 0 ? -1 : [...text.slice(0, start + at)].length
}

const changing = (name: string, change: (text: string) => string): Method => (text, args) => {
  take(name, args, [])
  return change(text)
}

const allAre = (name: string, pattern: RegExp): Method => (text, args) => {
  take(name, args, [])
  return pattern.test(text)
}

const dividing = (name: string, at: (text: string, separator: string) => number): Method => (text, args) => {
  const separator = textArgument(name, take(name, args, ["sep"])[0])
  const found = at(text, separator)
  if (found >= 0) return new Tuple([text.slice(0, found), separator, text.slice(found + separator.length)])
  return new Tuple(name === "partition" ? [text, "", ""] : ["", "", text])
}

/** `text.format(...)` with fields that are names or numbers alone. */
const format: Method = (text, { positional, named }) => {
  let next = 0
  return text.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (whole, name: string | undefined) => {
    if (whole === "{{" || whole === "}}") return whole[0]
    if (name === undefined || !/^\w*$/.test(name)) {
      throw new TemplateError(`format() with the field ${JSON.stringify(whole)} is not known here`)
    }
    const value = /^\d*$/.test(name) ? positional[name === "" ? next++ : Number(name)] : named.get(name)
    if (value === undefined) throw new TemplateError(`format() has no argument for ${whole}`)
    return textOf(value)
  })
}

/** Methods by name. */
export const TEXT_METHODS: Readonly<Record<string, Method>> = {
  strip: stripping("strip", "both"),
  lstrip: stripping("lstrip", "left"),
  rstrip: stripping("rstrip", "right"),
  split: splitting("split", split),
  rsplit: splitting("rsplit", splitRight),
  splitlines: (text, args) => {
    take("splitlines", args, [])
    return lines(text)
  },
  startswith: testing("startswith", (part, affix) => part.startsWith(affix)),
  endswith: testing("endswith", (part, affix) => part.endsWith(affix)),
  find: finding("find", (part, sought) => part.indexOf(sought)),
  rfind: finding("rfind", (part, sought) => part.lastIndexOf(sought)),
  index: finding("index", (part, sought) => part.indexOf(sought)),
  rindex: finding("rindex", (part, sought) => part.lastIndexOf(sought)),
  count: (text, args) => {
    const sought = textArgument("count", take("count", args, ["sub"])[0])
    return sought === "" ? [...text].length + 1 : text.split(sought).length - 1
  },
  upper: changing("upper", (text) => text.toUpperCase()),
  lower: changing("lower", (text) => text.toLowerCase()),
  capitalize: changing("capitalize", capitalize),
  title: changing("title", (text) => text.replace(/\p{L}+/gu, (word) => capitalize(word))),
  isdigit: allAre("isdigit", /^\p{Nd}+$/u),
  isnumeric: allAre("isnumeric", /^\p{N}+$/u),
  isalpha: allAre("isalpha", /^\p{L}+$/u),
  isalnum: allAre("isalnum", /^[\p{L}\p{N}]+$/u),
  isspace: allAre("isspace", new RegExp(`^[${SPACE}]+$`)),
  isupper: (text) => text !== text.toLowerCase() && text === text.toUpperCase(),
  islower: (text) => text !== text.toUpperCase() && text === text.toLowerCase(),
  partition: dividing("partition", (text, separator) => text.indexOf(separator)),
  rpartition: dividing("rpartition", (text, separator) => text.lastIndexOf(separator)),
  replace: (text, args) => {
    const [old, by, count] = take("replace", args, ["old", "new", "count"])
    return replace(text, textArgument("replace", old), textArgument("replace", by), integer("replace", count, -1))
  },
  removeprefix: (text, args) => {
    const prefix = textArgument("removeprefix", take("removeprefix", args, ["prefix"])[0])
    return text.startsWith(prefix) ? text.slice(prefix.length) : text
  },
  removesuffix: (text, args) => {
    const suffix = textArgument("removesuffix", take("removesuffix", args, ["suffix"])[0])
    return suffix !== "" && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text
  },
  join: (text, args) => {
    const [all] = take("join", args, ["iterable"])
    const items = all instanceof Tuple ? all.items : all
    if (items === undefined || !isList(items)) throw new TemplateError("join() wants a list of texts")
    return items.map((item) => textArgument("join", item)).join(text)
  },
  format,
}
