import { all, any, EMPTY, type Expression, literal, optional, repeat, rule } from "../expression.ts"
import { ANY_CHARACTER, others, type Range } from "./characters.ts"
import { COLON, COMMA, type Compiler } from "./compiler.ts"
import type { SchemaObject } from "./keywords.ts"

/** Objects: named properties in their order, then others where they may come. */
export function objectExpression(schema: SchemaObject, at: string, compiler: Compiler): Expression {
  const { properties = {}, additionalProperties } = schema
  const required = new Set(schema.required)
  const named = Object.keys(properties)
  const more = [...required].filter((name) => !Object.hasOwn(properties, name))
  const others = additionalProperties ?? named.length === 0
  const other = compiler.of({ schema: others, at: `${at}/additionalProperties` })
  const pairs = [
    ...named.map((name) => ({
      name,
      value: compiler.of({ schema: properties[name], at: `${at}/properties/${name}` }),
    })),
    // Of a name that no property has, anything is allowed unless additionalProperties says what.
    ...more.map((name) => ({
      name,
      value: additionalProperties === undefined ? compiler.of({ schema: true, at: "any" }) : other,
    })),
  ].map(({ name, value }) => ({ name, pair: all(literal(JSON.stringify(name)), COLON, value) }))
  const names = pairs.map(({ name }) => name)
  // What may follow where nothing stands yet, and where something does.
  let [first, later] = others === false ? [EMPTY, EMPTY] : extras(names, other, compiler)
  for (const { name, pair } of pairs.toReversed()) {
    const optional = !required.has(name)
    const [begun, goneOn] = [all(pair, later), all(COMMA, pair, later)]
    ;[first, later] = optional ? [any(begun, first), any(goneOn, later)] : [begun, goneOn]
  }
  return all(literal("{"), first, literal("}"))
}

/** Pairs with other names than these. */
function extras(
  names: ReadonlyArray<string>,
  value: Expression,
  { character }: Compiler,
): [first: Expression, later: Expression] {
  const extra = all(literal('"'), textsBut(names, character), literal('"'), COLON, value)
  const later = repeat(all(COMMA, extra), 0)
  return [optional(all(extra, later)), later]
}

const ANYTHING = repeat(ANY_CHARACTER, 0)

/** Strings of JSON, without quotes, that are none of these texts. */
function textsBut(texts: ReadonlyArray<string>, character: Compiler["character"]): Expression {
  const single = (code: number): Range => [code, code]
  /** None of these, which are alike up to a place. */
  const from = (at: number, alike: ReadonlyArray<ReadonlyArray<number>>): Expression => {
    const starting = new Map<number, Array<ReadonlyArray<number>>>()
    for (const codes of alike.filter(({ length }) => length > at)) {
      const own = starting.get(codes[at])
      if (own === undefined) starting.set(codes[at], [codes])
      else own.push(codes)
    }
    return any(
      ...alike.some(({ length }) => length === at) ? [] : [EMPTY],
      ...[...starting].map(([code, after]) => all(character([single(code)]), rule(() => from(at + 1, after)))),
      all(character(others([...starting.keys()].map(single))), ANYTHING),
    )
  }
  return from(0, texts.map((text) => Array.from(text, (character) => character.codePointAt(0)!)))
}
