import type { Field, Fields } from "./field.ts"

/** A JSON Schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Text about a missing option: its meaning, or the default. */
export function defaultText({ default: usual, absent }: Field<unknown>): string | undefined {
  if (absent !== undefined || usual === undefined) return absent
  return typeof usual === "string" ? usual : JSON.stringify(usual)
}

/** A field as JSON Schema with its default in the description; undefined if its values are not JSON. */
function fieldSchema(field: Field<unknown>): JsonSchema | undefined {
  const { doc, default: _, absent: _absent, required: _required, wanted: _wanted, faults, ...schema } = field
  const { items, additionalProperties, propertyNames, properties, anyOf, ...plain } = schema
  const members = anyOf?.map(fieldSchema).filter((member) => member !== undefined)
  if (members?.length === 0 || (faults !== undefined && Object.keys(schema).length === 0)) return undefined
  const usual = defaultText(field)
  const words = [...doc === undefined ? [] : [doc], ...usual === undefined ? [] : [`Default: ${usual}`]]
  return {
    ...plain,
    ...items && { items: fieldSchema(items) },
    ...propertyNames && { propertyNames: fieldSchema(propertyNames) },
    ...additionalProperties && { additionalProperties: fieldSchema(additionalProperties) },
    ...properties && jsonSchema(properties),
    ...members && (members.length > 1 ? { anyOf: members } : members[0]),
    ...words.length > 0 && { description: words.join(". ") },
  }
}

/** JSON Schema of an object with these options, without those whose values are not JSON. */
export function jsonSchema(table: Fields): JsonSchema {
  const schemas = Object.entries(table).flatMap(([name, field]) => {
    const schema = fieldSchema(field)
    return schema === undefined ? [] : [[name, schema] as const]
  })
  const required = Object.keys(table).filter((name) => table[name].required)
  return {
    type: "object",
    properties: Object.fromEntries(schemas),
    ...required.length > 0 && { required },
    additionalProperties: false,
  }
}
