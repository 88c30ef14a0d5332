import type { SchemaTree } from "hyparquet"
import { DataError, quoted } from "../../core/data/data_error.ts"

const isNested = ({ children, element }: SchemaTree): boolean =>
  children.length > 0 || element.repetition_type === "REPEATED"

const isVariant = ({ element }: SchemaTree): boolean => element.logical_type?.type === "VARIANT"

/** Whether the values of a column can be read without a loss. */
export const isReadable = (field: SchemaTree): boolean => !isVariant(field) && field.children.every(isReadable)

/** Whether a column holds bytes that nothing calls a text. */
const isBytes = ({ element: { type, converted_type: converted, logical_type: logical } }: SchemaTree): boolean =>
  (type === "BYTE_ARRAY" || type === "FIXED_LEN_BYTE_ARRAY") &&
  (converted === undefined || converted === "BSON") &&
  (logical === undefined || BINARY.has(logical.type))

const BINARY: ReadonlySet<string> = new Set(["BSON", "GEOMETRY", "GEOGRAPHY"])

/** What a column holds, for messages: `"list of { role, content }"`. */
const described = (field: SchemaTree): string => {
  const { element: { converted_type: converted }, children } = field
  if (isVariant(field)) return "variant"
  if (converted === "MAP" || converted === "MAP_KEY_VALUE") return "map"
  if (converted === "LIST") {
    const [repeated] = children
    return `list of ${described(repeated.children.length === 1 ? repeated.children[0] : { ...repeated, ...PLAIN })}`
  }
  if (children.length > 0) return `{ ${children.map(({ element: { name } }) => name).join(", ")} }`
  if (field.element.repetition_type === "REPEATED") return "list"
  return isBytes(field) ? "bytes" : "values"
}

const PLAIN = { element: { name: "", repetition_type: "REQUIRED" } } as const

/**
 * Checks the columns that are wanted, before anything of them is read.
 *
 * @throws DataError `Malformed` for one that cannot be read, and for texts that are nested or bytes.
 */
export const checkTexts = (
  source: string,
  fields: ReadonlyArray<SchemaTree>,
  wanted: ReadonlyArray<string>,
  texts: ReadonlyArray<string>,
): void => {
  const named = (names: ReadonlyArray<string>) => fields.filter(({ element: { name } }) => names.includes(name))
  const fail = (wrong: ReadonlyArray<SchemaTree>, what: string, advice: string) => {
    if (wrong.length === 0) return
    const shown = wrong.map((field) => `${JSON.stringify(field.element.name)} (${described(field)})`).join(", ")
    throw new DataError({ reason: "Malformed", message: `${source}: ${what}: ${shown}; ${advice}` })
  }
  fail(
    named(wanted).filter((field) => !isReadable(field)),
    "columns of a type that cannot be read",
    "write them as text",
  )
  const flat = fields.filter((field) => !isNested(field) && !isBytes(field)).map(({ element: { name } }) => name)
  fail(
    named(texts).filter(isNested),
    "text is wanted where columns are nested",
    flat.length === 0 ? "it has no column of single values" : `its columns of single values are ${quoted(flat)}`,
  )
  fail(named(texts).filter(isBytes), "text is wanted where columns hold bytes", "write them as strings (UTF-8)")
}
