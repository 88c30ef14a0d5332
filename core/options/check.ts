import type { Fault, Field, Fields, OptionTable, Resolved } from "./field.ts"
import { brief, unknownName } from "./unknown_option.ts"

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** By type of JSON Schema: its name in messages, and its check. */
const TYPES: Readonly<Record<string, readonly [words: string, is: (value: unknown) => boolean]>> = {
  integer: ["a whole number", Number.isSafeInteger],
  number: ["a number", Number.isFinite],
  boolean: ["true or false", (value) => typeof value === "boolean"],
  string: ["a text", (value) => typeof value === "string"],
  array: ["a list", Array.isArray],
  object: ["an object", isObject],
}

/** By limit of JSON Schema: its name in messages, and its check. */
const LIMITS = {
  minimum: ["from", (value, limit) => value >= limit],
  exclusiveMinimum: ["above", (value, limit) => value > limit],
  maximum: ["at most", (value, limit) => value <= limit],
  exclusiveMaximum: ["below", (value, limit) => value < limit],
} as const satisfies Partial<Record<keyof Field<unknown>, readonly [string, (value: number, limit: number) => boolean]>>
const NAMES = Object.keys(LIMITS) as ReadonlyArray<keyof typeof LIMITS>

/** "a", "a or b", "a, b or c". */
const either = (words: ReadonlyArray<string>): string => words.join(", ").replace(/, (?=[^,]*$)/, " or ")

/** The allowed values of a field as text. */
function wantedOf(field: Field<unknown>): string {
  const { wanted, type, anyOf, minItems, not } = field
  if (wanted !== undefined) return wanted
  if (anyOf !== undefined) return anyOf.map(wantedOf).join(" or ")
  if (type === undefined) return either((field.enum ?? []).map((value) => JSON.stringify(value)))
  const limits = NAMES.filter((name) => field[name] !== undefined).map((name) => `${LIMITS[name][0]} ${field[name]}`)
  if (not !== undefined) limits.push(`other than ${not.const}`)
  if (minItems !== undefined) limits.push(`of at least ${minItems}`)
  return [TYPES[type][0], ...limits.length > 0 ? [limits.join(" and ")] : []].join(" ")
}

/** A fault: the option, the allowed values, the given one. */
export function mustBe(at: string, wanted: string, value: unknown): Fault {
  // JSON has no NaN and no Infinity.
  const shown = typeof value === "number" ? String(value) : JSON.stringify(value) ?? String(value)
  return { at, message: `${at === "" ? "it" : at} must be ${wanted}, got ${brief(shown)}` }
}

/** Whether a value is as a field's own words say, whatever its parts are. */
const fits = (value: unknown, field: Field<unknown>): boolean =>
  (field.type === undefined || TYPES[field.type][1](value)) &&
  (field.enum === undefined || field.enum.includes(value)) &&
  (field.pattern === undefined || new RegExp(field.pattern, "u").test(value as string)) &&
  (field.minItems === undefined || (value as ReadonlyArray<unknown>).length >= field.minItems) &&
  (field.not === undefined || value !== field.not.const) &&
  NAMES.every((name) => field[name] === undefined || LIMITS[name][1](value as number, field[name]))

/** Faults of the value of the option `at`. */
export function valueFaults(value: unknown, field: Field<unknown>, at: string): ReadonlyArray<Fault> {
  const { anyOf, items, additionalProperties, propertyNames, properties, faults } = field
  if (faults !== undefined) return faults(value, at)
  if (!fits(value, field)) return [mustBe(at, wantedOf(field), value)]
  if (anyOf !== undefined) {
    const found = anyOf.map((member) => valueFaults(value, member, at))
    if (found.some(({ length }) => length === 0)) return []
    // The value has the type of this alternative: report the faults of its parts.
    return found.find((faults) => faults.every((fault) => fault.at !== at)) ?? [mustBe(at, wantedOf(field), value)]
  }
  if (properties !== undefined) return faultsOf(properties, value, at)
  if (items !== undefined) {
    return (value as ReadonlyArray<unknown>).flatMap((item, i) => valueFaults(item, items, `${at}[${i}]`))
  }
  if (additionalProperties === undefined) return []
  return Object.entries(value as object).flatMap(([name, item]) => [
    ...propertyNames === undefined ? [] : valueFaults(name, propertyNames, `a name in ${at}`),
    ...valueFaults(item, additionalProperties, `${at}["${name}"]`),
  ])
}

/** Faults of options: unknown names, missing options, values that are not allowed. */
export function faultsOf(table: Fields, options: unknown, at = ""): ReadonlyArray<Fault> {
  if (!isObject(options)) return [mustBe(at, TYPES.object[0], options)]
  const known = Object.keys(table)
  const names = new Set([...Object.keys(options), ...known])
  return [...names].flatMap((name) => {
    const place = at === "" ? name : `${at}.${name}`
    if (!known.includes(name)) {
      return [{ at: place, message: unknownName(name, known, place) }]
    }
    if (options[name] !== undefined) return valueFaults(options[name], table[name], place)
    return table[name].required
      ? [{ at: place, message: `${place} is missing; it must be ${wantedOf(table[name])}` }]
      : []
  })
}

/** The options in the order of the table, with defaults. They must have no faults. */
export function withDefaults<Options extends object, Open extends keyof Options>(
  table: OptionTable<Options, Open>,
  options: Options,
): Resolved<Options, Open> {
  const given = options as Readonly<Record<string, unknown>>
  const all: Record<string, unknown> = {}
  for (const [name, { default: usual }] of Object.entries<Field<unknown>>(table)) {
    const value = given[name] ?? (typeof usual === "function" ? usual({ ...given, ...all }) : usual)
    if (value !== undefined) all[name] = value
  }
  return all as Resolved<Options, Open>
}
