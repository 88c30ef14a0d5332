import { valueFaults } from "../../../options/check.ts"
import type { Field } from "../../../options/field.ts"
import { GrammarError } from "../grammar_error.ts"

/** A JSON Schema, as far as output can be held to it. */
export interface SchemaObject {
  readonly type?: string | ReadonlyArray<string>
  readonly enum?: ReadonlyArray<unknown>
  readonly const?: unknown
  readonly anyOf?: ReadonlyArray<Schema>
  readonly oneOf?: ReadonlyArray<Schema>
  readonly allOf?: ReadonlyArray<Schema>
  readonly $ref?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: ReadonlyArray<string>
  readonly additionalProperties?: Schema
  readonly items?: Schema
  readonly prefixItems?: ReadonlyArray<Schema>
  readonly minItems?: number
  readonly maxItems?: number
  readonly uniqueItems?: boolean
}
/** A JSON Schema: true allows anything, false nothing. */
export type Schema = boolean | SchemaObject

/** The types of JSON. */
export const TYPES = ["null", "boolean", "object", "array", "number", "integer", "string"]

const SCHEMA: Field<unknown> = { anyOf: [{ type: "boolean" }, { type: "object" }], wanted: "a schema" }
const SCHEMAS: Field<unknown> = { type: "array", items: SCHEMA, minItems: 1 }
const NUMBER: Field<unknown> = { type: "number", minimum: -999999999999999, maximum: 999999999999999 }
const BOUND: Field<unknown> = { type: "number", minimum: -9007199254740991, maximum: 9007199254740991 }
const COUNT: Field<unknown> = { type: "integer", minimum: 0 }
const TYPE: Field<unknown> = { enum: TYPES }
const ANYTHING: Field<unknown> = { faults: () => [] }

/** Keywords that limit values of one type, by type. */
export const LIMITS: Readonly<Record<string, Readonly<Record<string, Field<unknown>>>>> = {
  string: { minLength: COUNT, maxLength: COUNT, pattern: { type: "string" }, format: { type: "string" } },
  number: {
    minimum: BOUND,
    exclusiveMinimum: BOUND,
    maximum: BOUND,
    exclusiveMaximum: BOUND,
    multipleOf: { ...NUMBER, exclusiveMinimum: 0 },
  },
  object: {
    properties: { type: "object", additionalProperties: SCHEMA },
    required: { type: "array", items: { type: "string" } },
    additionalProperties: SCHEMA,
  },
  array: {
    items: SCHEMA,
    prefixItems: SCHEMAS,
    minItems: COUNT,
    maxItems: COUNT,
    uniqueItems: { type: "boolean" },
  },
}

const OF_ANY_TYPE: Readonly<Record<string, Field<unknown>>> = {
  type: { anyOf: [TYPE, { type: "array", items: TYPE, minItems: 1 }] },
  enum: { type: "array", minItems: 1 },
  const: ANYTHING,
  anyOf: SCHEMAS,
  oneOf: SCHEMAS,
  allOf: SCHEMAS,
  $ref: { type: "string" },
}

/** Keywords that say nothing of values. */
const ANNOTATIONS = [
  ...["$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples"],
  ...["deprecated", "readOnly", "writeOnly"],
]

const KNOWN: Readonly<Record<string, Field<unknown>>> = {
  ...Object.assign({}, ...Object.values(LIMITS)),
  ...OF_ANY_TYPE,
  ...Object.fromEntries(ANNOTATIONS.map((name) => [name, ANYTHING])),
}

/** A part of a schema that output cannot be held to. */
export const unsupported = (keyword: string, at: string, why: string): GrammarError =>
  new GrammarError({ reason: "Keyword", keyword, message: `${at}: the keyword "${keyword}" ${why}` })

/** Checks the keywords of a schema, without annotations. Throws {@link GrammarError}. */
export function checked(schema: unknown, at: string): SchemaObject {
  const [fault] = valueFaults(schema, { type: "object", wanted: "a JSON Schema" }, at)
  if (fault !== undefined) throw new GrammarError({ reason: "Schema", message: fault.message })
  const own = Object.entries(schema as object).filter(([name, value]) =>
    value !== undefined && !ANNOTATIONS.includes(name)
  )
  for (const [name, value] of own) {
    if (!Object.hasOwn(KNOWN, name)) {
      throw unsupported(
        name,
        at,
        "is not supported: output cannot be held to it; leave it out, and check the output for it",
      )
    }
    const [fault] = valueFaults(value, KNOWN[name], `${at}/${name}`)
    if (fault !== undefined) throw new GrammarError({ reason: "Schema", keyword: name, message: fault.message })
  }
  return Object.fromEntries(own)
}
