import { type Placed, plain, typesOf } from "./flatten.ts"
import { type Schema, type SchemaObject, TYPES } from "./keywords.ts"

/** Whether no value meets both schemas, as far as types, listed values and required properties tell. */
export function disjoint(a: Placed, b: Placed, document: Schema, depth = 0): boolean {
  const [one, other] = [a, b].map((placed) => plain(document, placed))
  if (one === false || other === false) return true
  const [values, others] = [one, other].map(valuesOf)
  if (values !== undefined && others !== undefined) return !values.some((value) => others.includes(value))
  const [types, its] = [one, other].map(wideTypes)
  if (!types.some((type) => its.includes(type))) return true
  if (types.concat(its).some((type) => type !== "object") || depth > 8) return false
  const required = (one.required ?? []).filter((name) => other.required?.includes(name))
  return required.some((name) => {
    const [left, right] = [one, other].map(({ properties }) => properties?.[name])
    if (left === undefined || right === undefined) return false
    const place = `/properties/${name}`
    return disjoint({ schema: left, at: a.at + place }, { schema: right, at: b.at + place }, document, depth + 1)
  })
}

const valuesOf = (schema: SchemaObject): ReadonlyArray<string> | undefined =>
  (schema.const === undefined ? schema.enum : [schema.const])?.map((value) => JSON.stringify(value))

/** The types of a schema; a whole number is a number. */
const wideTypes = ({ type }: SchemaObject): ReadonlyArray<string> =>
  (type === undefined ? TYPES : typesOf(type)).map((type) => type === "integer" ? "number" : type)
