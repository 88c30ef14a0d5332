import { all, any, EMPTY, type Expression, literal, optional, repeat } from "../expression.ts"
import { jsonCharacter, others, type Range } from "./characters.ts"
import { COLON, COMMA, type Compiler } from "./compiler.ts"
import type { SchemaObject } from "./keywords.ts"

/** Objects: named properties in their order, then others where they may come. */
export function objectExpression(schema: SchemaObject, at: string, compiler: Compiler): Expression {
  const { properties = {}, required = [], additionalProperties } = schema
  const named = Object.keys(properties)
  const more = required.filter((name) => !Object.hasOwn(properties, name))
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
  const extra = all(literal('"'), textsBut(names), literal('"'), COLON, other)
  const extras = others === false ? [EMPTY, EMPTY] : [
    optional(all(extra, repeat(all(COMMA, extra), 0))),
    repeat(all(COMMA, extra), 0),
  ]
  // What may follow where nothing stands yet, and where something does.
  let [first, later] = extras
  for (const { name, pair } of pairs.toReversed()) {
    const optional = !required.includes(name)
    const [begun, goneOn] = [all(pair, later), all(COMMA, pair, later)]
    ;[first, later] = optional ? [any(begun, first), any(goneOn, later)] : [begun, goneOn]
  }
  return all(literal("{"), first, literal("}"))
}

/** Strings of JSON, without quotes, that are none of these texts. */
function textsBut(texts: ReadonlyArray<string>): Expression {
  const rest = repeat(jsonCharacter(others([])), 0)
  const starting = new Map<number, Array<string>>()
  for (const [first = "", ...after] of texts.filter((text) => text !== "").map((text) => [...text])) {
    const code = first.codePointAt(0)!
    starting.set(code, [...starting.get(code) ?? [], after.join("")])
  }
  const single = (code: number): Range => [code, code]
  const free = jsonCharacter(others([...starting.keys()].map(single)))
  return any(
    ...texts.includes("") ? [] : [EMPTY],
    ...[...starting].map(([code, after]) => all(jsonCharacter([single(code)]), textsBut(after))),
    all(free, rest),
  )
}
