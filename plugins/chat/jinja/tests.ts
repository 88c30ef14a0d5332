/**
 * Tests (`is ...`) of jinja2, by name.
 * @module
 */
import { compare, contains, equal } from "./values/compare.ts"
import { textOf } from "./values/text.ts"
import {
  Float,
  isList,
  isTrue,
  Namespace,
  numberOf,
  TemplateError,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values/values.ts"

type Test = (value: Value, ...args: ReadonlyArray<Value>) => boolean

const isWhole = (value: Value) => typeof value === "number" || typeof value === "bigint"

const remainder = (value: Value, by: number): number => {
  const number = numberOf(value)
  if (number === undefined) throw new TemplateError(`a remainder of '${typeName(value)}' is asked for`)
  return ((number % by) + by) % by
}

const isIterable = (value: Value) =>
  value !== null && numberOf(value) === undefined && typeof value !== "function" && !(value instanceof Namespace)

const equalTo: Test = (value, other) => equal(value, other)
const below: Test = (value, other) => compare(value, other, "<") < 0
const above: Test = (value, other) => compare(value, other, ">") > 0
const atMost: Test = (value, other) => compare(value, other, "<=") <= 0
const atLeast: Test = (value, other) => compare(value, other, ">=") >= 0
const unequal: Test = (value, other) => !equal(value, other)

/** Tests by name. */
export const TESTS: Readonly<Record<string, Test>> = {
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  true: (value) => value === true,
  false: (value) => value === false,
  integer: isWhole,
  float: (value) => value instanceof Float,
  number: (value) => numberOf(value) !== undefined,
  string: (value) => typeof value === "string",
  mapping: (value) => value instanceof Map,
  sequence: (value) => typeof value === "string" || isList(value) || value instanceof Tuple || value instanceof Map,
  iterable: isIterable,
  callable: (value) => typeof value === "function",
  odd: (value) => remainder(value, 2) === 1,
  even: (value) => remainder(value, 2) === 0,
  divisibleby: (value, by) => remainder(value, numberOf(by) ?? NaN) === 0,
  sameas: (value, other) => value === other,
  in: (value, whole) => contains(whole, value),
  lower: (value) => textOf(value) === textOf(value).toLowerCase() && /\p{L}/u.test(textOf(value)),
  upper: (value) => textOf(value) === textOf(value).toUpperCase() && /\p{L}/u.test(textOf(value)),
  ...Object.fromEntries([
    ...["==", "eq", "equalto"].map((name) => [name, equalTo]),
    ...["!=", "ne"].map((name) => [name, unequal]),
    ...["<", "lt", "lessthan"].map((name) => [name, below]),
    ...[">", "gt", "greaterthan"].map((name) => [name, above]),
    ...["<=", "le"].map((name) => [name, atMost]),
    ...[">=", "ge"].map((name) => [name, atLeast]),
  ]),
}

/** Tests that jinja2 has beyond these. */
export const FURTHER_TESTS: ReadonlyArray<string> = ["escaped", "filter", "test"]

/** What a test by name says of a value; without a name, whether the value counts as true. */
export const testOf = (name: string | undefined): Test => {
  if (name === undefined) return isTrue
  if (Object.hasOwn(TESTS, name)) return TESTS[name]
  throw new TemplateError(`No test named '${name}'.`)
}
