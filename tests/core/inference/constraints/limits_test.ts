import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import process from "node:process"
import { type GrammarError, jsonSchema } from "../../../../core/inference/text/mod.ts"
import { tokenizerOf } from "../../../../core/data/tokenizer/tokenizer_of.ts"

const directory = new URL("../../../../examples/models/espalier-1m/", import.meta.url).pathname
const json = (name: string) => JSON.parse(Deno.readTextFileSync(directory + name))
const tokenizer = tokenizerOf(json("tokenizer.json"), json("tokenizer_config.json"))

const grammarOf = (schema: unknown) => jsonSchema(tokenizer, schema as object)
const refusal = (schema: unknown): GrammarError => Effect.runSync(Effect.flip(grammarOf(schema)))

const names = (count: number) => Array.from({ length: count }, (_, i) => `value number ${i}`)
/** A schema within others. */
const nested = (times: number, around: (inner: unknown) => unknown): unknown =>
  Array.from({ length: times }).reduce(around, { const: 1 })
/** `$ref` to two schemas, each of which refers to the next two, so that there are 2^times ways. */
const doubled = (times: number) => {
  const both = (i: number) => ({ allOf: [{ $ref: `#/$defs/d${i}` }, { $ref: `#/$defs/d${i}` }] })
  const all = Array.from({ length: times }, (_, i) => [`d${i}`, i === times - 1 ? { type: "integer" } : both(i + 1)])
  return { ...both(0), $defs: Object.fromEntries(all) }
}

/** Seconds of the CPU that something takes. */
function seconds(use: () => void): number {
  const since = process.cpuUsage()
  use()
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}

Deno.test("schemas that are too large, or hold themselves without end, are refused before any work", () => {
  const endless = {
    type: "object",
    allOf: [{ properties: { a: { $ref: "#" } } }, { properties: { a: { allOf: [{ $ref: "#" }] } } }],
  }
  for (
    const [schema, message] of [
      [{ enum: names(20_000) }, "more than 10000 values"],
      [nested(20_000, (items) => ({ type: "array", items })), "more than 100 levels"],
      [{ enum: ["x".repeat(200_001)] }, "more than 200000 characters"],
      [{ properties: { ["x".repeat(200_001)]: true } }, "more than 200000 characters"],
      [{ oneOf: names(501).map((value) => ({ const: value })) }, "more than 500 alternatives"],
      [doubled(25), "more than 100000 steps"],
      [endless, "more than 100000 steps"],
      [{ type: "string", pattern: "^((a?){3000}){3000}$" }, "too many ways to begin"],
    ] as const
  ) {
    let error!: GrammarError
    const took = seconds(() => error = refusal(schema))
    assertEquals(error.reason, "Limit", error.message)
    assertStringIncludes(error.message, message)
    assert(took < 5, `${message}: ${took} seconds`)
  }
  assertStringIncludes(refusal({ type: "string", pattern: "(".repeat(101) + ")".repeat(101) }).message, "100 groups")
})

Deno.test("schemas within the limits are made, and begin, in less than seconds", () => {
  const properties = Object.fromEntries(names(1000).map((name) => [name, { type: "integer" }]))
  for (
    const schema of [
      { enum: names(9_000) },
      { type: "object", properties },
      { type: "object", properties, additionalProperties: true },
      { anyOf: names(300).map((name) => ({ properties: { [name]: {} }, additionalProperties: true })) },
      { type: "string", pattern: `^${"[a-z]?".repeat(1000)}$` },
      { const: "x".repeat(100_000) },
      nested(24, (a) => ({ type: "object", properties: { a }, required: ["a"] })),
    ]
  ) {
    const took = seconds(() =>
      Effect.runSync(grammarOf(schema)).constraint().restrict(new Float32Array(tokenizer.vocabSize), [])
    )
    assert(took < 5, `${JSON.stringify(schema).slice(0, 60)}: ${took} seconds`)
  }
})

Deno.test("a text that may go on in ever more ways ends without a token that may come; the next begins anew", () => {
  const [open] = tokenizer.encode("[", { addSpecialTokens: false })
  // Of each list it stays open which of three it is: 3^n ways after n of them.
  const items = { $ref: "#" }
  const schema = { anyOf: [0, 1, 2].map((minItems) => ({ type: "array", items, minItems })) }
  const grammar = Effect.runSync(grammarOf(schema))
  for (let i = 0; i < 3; i++) {
    const { restrict } = grammar.constraint()
    const made: Array<number> = []
    for (let allowed = true; allowed;) {
      const logits = new Float32Array(tokenizer.vocabSize)
      assert(seconds(() => restrict(logits, made)) < 5)
      allowed = logits[open] === 0
      assertEquals(logits.some((logit) => logit === 0), allowed)
      made.push(open)
    }
    assert(made.length > 5 && made.length < 30, `${made.length} lists`)
  }
})
