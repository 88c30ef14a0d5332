import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { type GrammarError, type TextForm, textForm, tokenBytes } from "../../../../core/inference/text/mod.ts"
import { tokenizerOf } from "../../../../core/data/tokenizer/tokenizer_of.ts"
import { makeRng } from "../../../../core/tensor/operations/random.ts"

const directory = new URL("../../../../examples/models/espalier-1m/", import.meta.url).pathname
const json = (name: string) => JSON.parse(Deno.readTextFileSync(directory + name))
const tokenizer = tokenizerOf(json("tokenizer.json"), json("tokenizer_config.json"))
const END = tokenizer.eosId!

/** A text that is drawn of all tokens that may come. */
function drawn(form: TextForm, seed: number): string {
  const constraint = Effect.runSync(textForm(tokenizer, form)).constraint()
  const rng = makeRng(seed)
  const made: Array<number> = []
  while (made.at(-1) !== END && !constraint.complete!(made)) {
    const logits = new Float32Array(tokenizer.vocabSize)
    constraint.restrict(logits, made)
    const may = [...logits.keys()].filter((id) => logits[id] === 0)
    assert(may.length > 0 && made.length < 500, `${made.length}`)
    made.push(may[rng.int(may.length)])
  }
  const bytes = tokenBytes(tokenizer)
  return new TextDecoder().decode(Uint8Array.from(made.flatMap((id) => Array.from(bytes[id] ?? []))))
}

Deno.test("whatever is drawn of a form is of it: fixed texts, JSON by a schema, one of several, one or more", () => {
  const one = { all: ["f(", { schema: { type: "integer", minimum: 0, maximum: 99 } }, ")"] }
  const other = { all: ["g[", { schema: { enum: ["é", "日"] } }, "]"] }
  const several = { all: ["<", { several: { any: [one, other] }, between: " + " }, ">"] }
  const call = String.raw`(f\((\d|[1-9]\d)\)|g\["(é|日)"\])`
  const wanted = new RegExp(`^<${call}( \\+ ${call})*>$`)
  const texts = Array.from({ length: 60 }, (_, seed) => drawn(several, seed + 1))
  for (const text of texts) assert(wanted.test(text), text)
  assert(texts.some((text) => text.includes(" + ")) && texts.some((text) => !text.includes(" + ")))
  assertEquals(drawn("né", 1), "né")
  assert(["1", "2"].includes(drawn({ schema: { enum: [1, 2] } }, 1)))
})

Deno.test("schemas of a form are checked as others are, and all together have one size and so many steps", () => {
  const refusal = (form: TextForm): GrammarError => Effect.runSync(Effect.flip(textForm(tokenizer, form)))
  const named = refusal({ all: ["a", { schema: { properties: { b: { not: {} } } }, name: "tools[0]" }] })
  assertEquals([named.reason, named.keyword], ["Keyword", "not"])
  assertStringIncludes(named.message, 'tools[0]#/properties/b: the keyword "not"')
  const values = { schema: { enum: Array.from({ length: 3000 }, (_, i) => i) } }
  assertStringIncludes(refusal({ any: [values, values, values, values] }).message, "more than 10000 values")
  /** 2^12 ways to read it. */
  const names = Array.from({ length: 12 }, (_, i) => `d${i}`)
  const $defs = Object.fromEntries(names.map((name, i) => {
    const next = { $ref: `#/$defs/d${i + 1}` }
    return [name, i === 11 ? { type: "integer" } : { allOf: [next, next] }]
  }))
  const doubled = { schema: { $ref: "#/$defs/d0", $defs, type: "integer" } }
  assertEquals(Effect.runSync(Effect.exit(textForm(tokenizer, doubled)))._tag, "Success")
  const many = refusal({ any: Array.from({ length: 40 }, () => doubled) })
  assertEquals(many.reason, "Limit")
  assertStringIncludes(many.message, "more than 100000 steps")
  assertEquals(refusal({ all: ["a", { schema: { enum: ["x"], type: "integer" } }] }).message, "no text meets the form")
})
