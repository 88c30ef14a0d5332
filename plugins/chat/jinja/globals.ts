import {
  type Arguments,
  type Callable,
  itemsOf,
  Namespace,
  take,
  TemplateError,
  typeName,
  type Value,
} from "./values/values.ts"
import { textOf } from "./values/text.ts"

/** Days and months in English, as Python has them in its usual locale. */
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
const MONTHS = (
  "January February March April May June July August September October November December"
).split(" ")

const two = (number: number) => String(number).padStart(2, "0")

/** Fields of `strftime`. */
const FIELDS: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getFullYear()),
  y: (date) => two(date.getFullYear() % 100),
  m: (date) => two(date.getMonth() + 1),
  d: (date) => two(date.getDate()),
  H: (date) => two(date.getHours()),
  I: (date) => two(date.getHours() % 12 || 12),
  M: (date) => two(date.getMinutes()),
  S: (date) => two(date.getSeconds()),
  p: (date) => date.getHours() < 12 ? "AM" : "PM",
  a: (date) => DAYS[date.getDay()].slice(0, 3),
  A: (date) => DAYS[date.getDay()],
  b: (date) => MONTHS[date.getMonth()].slice(0, 3),
  B: (date) => MONTHS[date.getMonth()],
  "%": () => "%",
}

/** A date in a format of `strftime`. */
export const formatDate = (date: Date, format: string): string =>
  format.replace(/%(.?)/g, (whole, field: string) => {
    if (Object.hasOwn(FIELDS, field)) return FIELDS[field](date)
    throw new TemplateError(`strftime_now with ${whole} is not known here`)
  })

const range: Callable = ({ positional }) => {
  const [a = 0, b, step = 1] = positional.map((bound) => {
    if (typeof bound === "number") return bound
    throw new TemplateError(`'${typeName(bound)}' object cannot be interpreted as an integer`)
  })
  const [from, to] = b === undefined ? [0, a] : [a, b]
  if (step === 0) throw new TemplateError("range() arg 3 must not be zero")
  return Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, at) => from + at * step)
}

/** Entries of a dictionary, or of a list of pairs, and arguments by name. */
const entries: (args: Arguments) => Map<Value, Value> = ({ positional: [given], named }) => {
  const pairs = given === undefined ? [] : given instanceof Map ? [...given] : itemsOf(given).map((pair) => {
    const [key, value] = itemsOf(pair)
    return [key, value] as const
  })
  return new Map<Value, Value>([...pairs, ...named])
}

/** Names that every template has. */
export const GLOBALS: ReadonlyArray<readonly [string, Value]> = [
  ["range", range],
  ["dict", entries],
  ["namespace", (args: Arguments) => {
    const all = [...entries(args)].map(([key, value]): [string, Value] => [textOf(key), value])
    return new Namespace(new Map(all))
  }],
  ["raise_exception", (args: Arguments) => {
    throw new TemplateError(textOf(take("raise_exception", args, ["message"])[0] ?? ""))
  }],
  [
    "strftime_now",
    (args: Arguments) => formatDate(new Date(), textOf(take("strftime_now", args, ["format"])[0] ?? "")),
  ],
]
