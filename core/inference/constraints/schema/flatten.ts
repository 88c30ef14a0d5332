import { GrammarError } from "../grammar_error.ts"
import type { Document, Placed } from "./document.ts"
import { type Schema, type SchemaObject, TYPES, unsupported } from "./keywords.ts"

/** How deep schemas may name each other where they are joined. */
const DEEPEST = 64

/** A schema with `allOf`, and what stands beside `$ref`, joined into one; false allows nothing. Throws {@link GrammarError}. */
export function flatten(document: Document, placed: Placed, depth = 0): SchemaObject | false {
  const { schema, at } = placed
  if (typeof schema === "boolean") return schema && {}
  if (depth > DEEPEST) throw new GrammarError({ reason: "Schema", message: `${at}: the schema is made of itself` })
  const { allOf = [], $ref, ...own } = document.keywords(placed)
  if (allOf.length === 0 && $ref === undefined) return own
  if (allOf.length === 0 && Object.keys(own).length === 0) return { $ref: $ref! }
  const parts: ReadonlyArray<Placed> = [
    ...$ref === undefined ? [] : [document.resolved($ref, at)],
    ...allOf.map((schema, i) => ({ schema, at: `${at}/allOf/${i}` })),
  ]
  return parts.reduce<SchemaObject | false>((all, part) => {
    const next = plain(document, part, depth + 1)
    return all && next && joined(all, next, at, document)
  }, own)
}

/** {@link flatten}, with what `$ref` names in its place. */
export function plain(document: Document, placed: Placed, depth = 0): SchemaObject | false {
  const schema = flatten(document, placed, depth)
  if (schema === false || schema.$ref === undefined) return schema
  return plain(document, document.resolved(schema.$ref, placed.at), depth + 1)
}

type Join = (a: never, b: never) => unknown

const larger = (a: number, b: number) => Math.max(a, b)
const smaller = (a: number, b: number) => Math.min(a, b)

/** How values of a keyword that both of two schemas have become one. */
const JOINS: Readonly<Record<string, Join>> = {
  type: (a: string | ReadonlyArray<string>, b: string | ReadonlyArray<string>) => commonTypes(typesOf(a), typesOf(b)),
  enum: (a: ReadonlyArray<unknown>, b: ReadonlyArray<unknown>) => {
    const others = new Set(b.map((one) => JSON.stringify(one)))
    return a.filter((one) => others.has(JSON.stringify(one)))
  },
  required: (a: ReadonlyArray<string>, b: ReadonlyArray<string>) => [...new Set([...a, ...b])],
  properties: (a: Readonly<Record<string, Schema>>, b: Readonly<Record<string, Schema>>) =>
    Object.fromEntries(
      [...new Set([...Object.keys(a), ...Object.keys(b)])].map((name) => [
        name,
        Object.hasOwn(a, name) && Object.hasOwn(b, name) ? { allOf: [a[name], b[name]] } : a[name] ?? b[name],
      ]),
    ),
  ...Object.fromEntries(["minLength", "minimum", "exclusiveMinimum", "minItems"].map((name) => [name, larger])),
  ...Object.fromEntries(["maxLength", "maximum", "exclusiveMaximum", "maxItems"].map((name) => [name, smaller])),
}

/** Whether two values are one, with the work counted. */
function same(a: unknown, b: unknown, document: Document): boolean {
  if (a === b) return true
  const [one, other] = [a, b].map((value) => JSON.stringify(value))
  document.spend((one.length + other.length) / 200)
  return one === other
}

/** A schema that allows what both allow. */
function joined(a: SchemaObject, b: SchemaObject, at: string, document: Document): SchemaObject {
  const [left, right] = [a, b].map((schema): Readonly<Record<string, unknown>> => ({ ...schema }))
  const closed = [[a, b], [b, a]].some(([one, other]) =>
    one.additionalProperties !== undefined &&
    Object.keys(other.properties ?? {}).some((name) => !Object.hasOwn(one.properties ?? {}, name))
  )
  if (closed) throw unsupported("allOf", at, 'joins properties with an "additionalProperties" that does not know them')
  const all: Record<string, unknown> = { ...left, ...right }
  for (const [name, value] of Object.entries(left)) {
    if (!Object.hasOwn(right, name) || same(value, right[name], document)) continue
    if (!Object.hasOwn(JOINS, name)) throw unsupported("allOf", at, `joins two values of "${name}"`)
    all[name] = JOINS[name](value as never, right[name] as never)
  }
  return all
}

/** The names of types that a keyword holds. */
export const typesOf = (type: string | ReadonlyArray<string>): ReadonlyArray<string> => [...new Set([type].flat())]

const commonTypes = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): ReadonlyArray<string> =>
  TYPES.filter((type) => {
    const allows = (types: ReadonlyArray<string>) =>
      types.includes(type) || type === "integer" && types.includes("number")
    return allows(a) && allows(b)
  })
