import type { Document, Placed } from "./document.ts"
import { plain, typesOf } from "./flatten.ts"
import { type SchemaObject, TYPES } from "./keywords.ts"

/** What tells values of a schema from others. */
interface Facts {
  /** Undefined where no value meets the schema. */
  readonly schema: SchemaObject | undefined
  readonly values: ReadonlyArray<string> | undefined
  readonly types: ReadonlyArray<string>
}

/** Tells whether no value meets both of two schemas, as far as types, listed values and required properties tell. */
export function makeDisjoint(document: Document): (a: Placed, b: Placed) => boolean {
  const known = new Map<string, Facts>()
  const factsOf = (placed: Placed): Facts => {
    const found = known.get(placed.at) ?? read(document, placed)
    known.set(placed.at, found)
    return found
  }
  const disjoint = (a: Placed, b: Placed, depth = 0): boolean => {
    const [{ schema: one, values, types }, { schema: other, values: others, types: its }] = [a, b].map(factsOf)
    if (one === undefined || other === undefined) return true
    if (values !== undefined && others !== undefined) return !values.some((value) => others.includes(value))
    if (!types.some((type) => its.includes(type))) return true
    if (types.concat(its).some((type) => type !== "object") || depth > 8) return false
    const required = (one.required ?? []).filter((name) => other.required?.includes(name))
    return required.some((name) => {
      const [left, right] = [one, other].map(({ properties }) => properties?.[name])
      if (left === undefined || right === undefined) return false
      const place = `/properties/${name}`
      return disjoint({ schema: left, at: a.at + place }, { schema: right, at: b.at + place }, depth + 1)
    })
  }
  return disjoint
}

function read(document: Document, placed: Placed): Facts {
  const schema = plain(document, placed)
  if (schema === false) return { schema: undefined, values: undefined, types: [] }
  const values = schema.const === undefined ? schema.enum : [schema.const]
  return { schema, values: values?.map((value) => JSON.stringify(value)), types: wideTypes(schema) }
}

/** The types of a schema; a whole number is a number. */
const wideTypes = ({ type }: SchemaObject): ReadonlyArray<string> =>
  (type === undefined ? TYPES : typesOf(type)).map((type) => type === "integer" ? "number" : type)
