import { all, any, type Expression, literal, optional, repeat, rule } from "../expression.ts"
import { ANY_CHARACTER, jsonCharacter } from "./characters.ts"
import { COMMA, type Compiler } from "./compiler.ts"
import { makeDisjoint } from "./disjoint.ts"
import { type Budget, Document, makeBudget, type Placed } from "./document.ts"
import { flatten, typesOf } from "./flatten.ts"
import { FORMATS } from "./formats.ts"
import { LIMITS, type Schema, type SchemaObject, TYPES, unsupported } from "./keywords.ts"
import { isExact, numbers } from "./numbers.ts"
import { objectExpression } from "./object_expression.ts"
import { patternOf } from "./pattern.ts"

const QUOTE = literal('"')

/** How a schema is read. */
interface Reading {
  /** What stands before its places in messages. Default: nothing. */
  readonly name?: string | undefined
  /** Steps that it may take. Default: all. */
  readonly budget?: Budget
}

/** The texts of JSON that are valid by a schema. Throws {@link GrammarError}. */
export function schemaExpression(root: Schema, { name = "", budget = makeBudget() }: Reading = {}): Expression {
  const document = new Document(root, budget)
  const known = new Map<string, Expression>()
  const kept = (name: string, make: () => Expression): Expression => {
    const made = known.get(name) ?? make()
    known.set(name, made)
    return made
  }
  const compiler: Compiler = {
    document,
    of: (placed) => {
      // What allows anything holds itself, at places without end: they are one.
      const place = placed.schema === true ? "true" : placed.at
      document.spend(place.length / 100)
      return kept(place, () => rule(() => valueExpression({ ...placed, at: place }, compiler)))
    },
    character: (ranges) => kept(`characters ${ranges}`, () => jsonCharacter(ranges)),
  }
  return compiler.of({ schema: root, at: `${name}#` })
}

/** The expression of a schema, whatever type its values have. */
function valueExpression(placed: Placed, compiler: Compiler): Expression {
  const { at } = placed
  const schema = flatten(compiler.document, placed)
  if (schema === false) return any()
  if (schema.$ref !== undefined) return compiler.of(compiler.document.resolved(schema.$ref, at))
  const { anyOf, oneOf, ...own } = schema
  if (anyOf !== undefined && oneOf !== undefined) throw unsupported("oneOf", at, 'cannot stand beside "anyOf"')
  const alternatives = anyOf ?? oneOf
  if (alternatives !== undefined) {
    if (oneOf !== undefined) checkDisjoint(oneOf, at, compiler)
    const keyword = oneOf === undefined ? "anyOf" : "oneOf"
    const within = Object.keys(own).length > 0
    return any(...alternatives.map((schema, i) => {
      const place = `${at}/${keyword}/${i}`
      return compiler.of(
        within ? { schema: { allOf: [own, schema] }, at: `${place} within ${at}` } : { schema, at: place },
      )
    }))
  }
  const types = own.type === undefined ? impliedTypes(own) : typesOf(own.type)
  if (own.const !== undefined || own.enum !== undefined) return listed(own, types, at)
  return any(...types.map((type) => BY_TYPE[type](own, at, compiler)))
}

/** The types of a schema that names none: those that its keywords are for, else all. */
function impliedTypes(schema: SchemaObject): ReadonlyArray<string> {
  const named = Object.entries(LIMITS).filter(([, keywords]) =>
    Object.keys(keywords).some((name) => Object.hasOwn(schema, name))
  ).map(([type]) => type)
  return named.length > 0 ? named : TYPES.filter((type) => type !== "integer")
}

function checkDisjoint(alternatives: ReadonlyArray<Schema>, at: string, compiler: Compiler): void {
  const flat = alternatives.map((schema, i) => ({ schema, at: `${at}/oneOf/${i}` }))
  const disjoint = makeDisjoint(compiler.document)
  for (const [i, one] of flat.entries()) {
    for (const other of flat.slice(0, i)) {
      if (!disjoint(one, other)) {
        throw unsupported("oneOf", at, "has alternatives that one value may meet together; use anyOf")
      }
    }
  }
}

const typeOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value

/** Given values of these types. */
function listed(schema: SchemaObject, types: ReadonlyArray<string>, at: string): Expression {
  const [keyword, values] = schema.const === undefined ? ["enum", schema.enum!] : ["const", [schema.const]]
  const beside = Object.keys(schema).find((name) => name !== keyword && name !== "type")
  if (beside !== undefined) throw unsupported(beside, at, `cannot stand beside "${keyword}"`)
  const fits = (value: unknown) =>
    types.includes(typeOf(value)) || types.includes("number") && typeof value === "number"
  return any(...values.filter(fits).map((value) => literal(JSON.stringify(value))))
}

type OfType = (schema: SchemaObject, at: string, compiler: Compiler) => Expression

const BY_TYPE: Readonly<Record<string, OfType>> = {
  null: () => literal("null"),
  boolean: () => any(literal("true"), literal("false")),
  number: (schema, at) => numberExpression(false, schema, at),
  integer: (schema, at) => numberExpression(true, schema, at),
  string: (schema, at, compiler) => all(QUOTE, characters(schema, at, compiler), QUOTE),
  array: arrayExpression,
  object: objectExpression,
}

function numberExpression(whole: boolean, schema: SchemaObject, at: string): Expression {
  const names = Object.keys(LIMITS.number) as ReadonlyArray<"minimum">
  const limits = Object.fromEntries(
    names.filter((name) => schema[name] !== undefined).map((name) => [name, schema[name]!]),
  )
  const { multipleOf: step } = schema
  if (step !== undefined && !(whole ? Number.isInteger(step) : isExact(step, limits))) {
    throw unsupported("multipleOf", at, `cannot be ${step} here`)
  }
  return numbers(whole, limits)
}

/** What stands between the quotes of a string. */
function characters(schema: SchemaObject, at: string, compiler: Compiler): Expression {
  const { minLength = 0, maxLength = Infinity, pattern, format } = schema
  if (minLength > maxLength) return any()
  if (pattern === undefined && format === undefined) return repeat(ANY_CHARACTER, minLength, maxLength)
  if (pattern !== undefined && format !== undefined) throw unsupported("format", at, 'cannot stand beside "pattern"')
  const keyword = pattern === undefined ? "format" : "pattern"
  const source = pattern ?? FORMATS[format!]
  if (source === undefined) {
    throw unsupported("format", at, `knows ${Object.keys(FORMATS).join(", ")}; got "${format}"`)
  }
  const read = readPattern(source, at, compiler)
  if (read.least >= minLength && read.most <= maxLength) return read.expression
  const length = read.least < minLength ? "minLength" : "maxLength"
  throw unsupported(length, at, `limits a text that has a ${keyword} more than it does; say the length in the pattern`)
}

function readPattern(source: string, at: string, compiler: Compiler) {
  try {
    return patternOf(source, compiler)
  } catch (error) {
    throw unsupported("pattern", at, `has what output cannot be held to: ${(error as Error).message} in "${source}"`)
  }
}

function arrayExpression(schema: SchemaObject, at: string, compiler: Compiler): Expression {
  const { items, prefixItems = [], minItems: least = 0, maxItems: most = Infinity, uniqueItems } = schema
  if (uniqueItems && most > 1) throw unsupported("uniqueItems", at, "is not supported: output cannot be held to it")
  const others = items === undefined ? prefixItems.length === 0 : items
  const other = compiler.of({ schema: others, at: `${at}/items` })
  const first = prefixItems.slice(0, most).map((schema, i) => compiler.of({ schema, at: `${at}/prefixItems/${i}` }))
  if (least > most) return any()
  const from = first.length
  const rest = repeat(all(COMMA, other), Math.max(0, least - from), most - from)
  const free = from > 0
    ? rest
    : optionalIf(least === 0, all(other, repeat(all(COMMA, other), Math.max(0, least - 1), most - 1)))
  const inside = most === 0 ? all() : first.reduceRight<Expression>(
    (tail, item, i) => optionalIf(i >= least, all(...i === 0 ? [] : [COMMA], item, tail)),
    free,
  )
  return all(literal("["), inside, literal("]"))
}

const optionalIf = (may: boolean, item: Expression): Expression => may ? optional(item) : item
